package server

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/logbuf"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/store/memstore"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// lab is a simulated cloud behind the API, with the namespaces system, demo and other, whose keys have their names.
type lab struct {
	t      testing.TB
	cloud  *shakenfist.Cloud
	state  *memstore.Store
	guests *simhv.Driver
	url    string
	images string // where image.qcow2 is served
	log    *logbuf.Buffer
	loops  sync.RWMutex // held for writing while the cloud's loops shall change nothing
	ledger *ledger      // nil, or what notes each answer

	mu     sync.Mutex
	tokens map[string]string // guarded by mu; by namespace
	names  map[string]string // guarded by mu; by UUID: what golden files call it
}

func newLab(t testing.TB, change ...func(*Options)) *lab {
	t.Helper()
	state, net := memstore.New(), simnet.New()
	l := &lab{
		t: t, state: state, guests: simhv.New(simhv.Options{Switch: net}), log: &logbuf.Buffer{},
		tokens: map[string]string{}, names: map[string]string{},
	}
	log := slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cloud, err := shakenfist.New(shakenfist.Config{
		State: state, Hypervisor: l.guests, Network: net, Node: "node-1", Dir: t.TempDir(), HashCost: bcrypt.MinCost,
		Halo: -1, Steps: l.step,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.cloud = cloud
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := cloud.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)
	l.serve(log, state, change)
	if err := cloud.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cloud.Namespaces.SetKey(t.Context(), "system", "deploy", "system", false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"demo", "other"} {
		if _, err := cloud.Namespaces.Create(t.Context(), name, "deploy", name); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// step keeps the loops, but no request, from changing anything while somebody holds them.
func (l *lab) step(ctx context.Context, _ step.Step) error {
	if event.RequestID(ctx) == "" {
		l.loops.RLock()
		defer l.loops.RUnlock()
	}
	return nil
}

func (l *lab) serve(log *slog.Logger, state *memstore.Store, change []func(*Options)) {
	o := Options{Log: log, Store: state, Release: "1.2.3"}
	for _, f := range change {
		f(&o)
	}
	front := httptest.NewServer(New(l.cloud, o))
	l.t.Cleanup(front.Close)
	l.url = front.URL
	images := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Unix(1700000000, 0), bytes.NewReader(rawDisk()))
	}))
	l.t.Cleanup(images.Close)
	l.images = images.URL
}

// rawDisk is the smallest thing that is taken for a disk: empty, with the mark of a boot sector.
func rawDisk() []byte {
	disk := make([]byte, 64<<10)
	disk[510], disk[511] = 0x55, 0xaa
	return disk
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send makes a request as the namespace; "" means without a token. Body may be text, which is sent as it is.
func (l *lab) send(method, path, as string, body any, headers ...string) answer {
	l.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			l.t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(l.t.Context(), method, l.url+path, content)
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("User-Agent", "a test")
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+l.token(as))
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	direct := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := direct.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	content2, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	a := answer{res.StatusCode, res.Header, content2}
	if l.ledger != nil {
		l.ledger.note(method, path, a)
	}
	if !strings.HasPrefix(r.UserAgent(), "Go-http-client/") { // the document says nothing of what only that client gets
		l.keepsPromises(method, path, a)
	}
	return a
}

// token logs in once for each namespace.
func (l *lab) token(namespace string) string {
	l.t.Helper()
	l.mu.Lock()
	token, ok := l.tokens[namespace]
	l.mu.Unlock()
	if ok {
		return token
	}
	token = l.login(namespace, namespace)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens[namespace] = token
	return token
}

func (l *lab) login(namespace, key string) string {
	l.t.Helper()
	a := l.send(http.MethodPost, "/auth", "", api.Auth{Namespace: namespace, Key: key})
	var got api.Token
	if err := json.Unmarshal(a.body, &got); err != nil || a.status != http.StatusOK {
		l.t.Fatalf("login as %s: %d %s", namespace, a.status, a.body)
	}
	return got.AccessToken
}

// get sends and decodes a body that must come with status 200.
func get[T any](l *lab, method, path, as string, body any) T {
	l.t.Helper()
	a := l.send(method, path, as, body)
	var v T
	if a.status != http.StatusOK {
		l.t.Fatalf("%s %s as %s: %d %s", method, path, as, a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		l.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
	}
	return v
}

// wantError checks an answer's status, the shape of its body, and that its text contains some words.
func (l *lab) wantError(a answer, status int, words string) {
	l.t.Helper()
	var e api.Error
	if err := json.Unmarshal(a.body, &e); err != nil {
		l.t.Errorf("%d %s is no error body: %v", a.status, a.body, err)
		return
	}
	text, _ := e.Error.(string)
	if a.status != status || e.Status != status || !strings.Contains(text, words) {
		l.t.Errorf("got %d %s, want %d with %q", a.status, a.body, status, words)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		l.t.Errorf("an error has Content-Type %q", got)
	}
}

// fields are the arguments of a request.
type fields = map[string]any

// refuse sends a request that must be answered with an error of this status, whose text contains some words.
func (l *lab) refuse(status int, words, method, path, as string, body any) {
	l.t.Helper()
	a := l.send(method, path, as, body)
	if got := errorText(a.body); a.status != status || !strings.Contains(got, words) {
		l.t.Errorf("%s %s as %s with %v: got %d %s, want %d with %q", method, path, as, body, a.status, a.body, status, words)
	}
}

// errorText is what an error body says: its text, or the JSON of what else stands there.
func errorText(body []byte) string {
	var e struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(e.Error, &text) == nil {
		return text
	}
	return string(e.Error)
}

// What differs from run to run, and how golden files show it.
var (
	anyUUID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	volatiles = []struct {
		pattern *regexp.Regexp
		shown   string
	}{
		{regexp.MustCompile(`\b1[0-9]{9}\.[0-9]{1,6}\b`), "1700000000.5"},
		{regexp.MustCompile(`"created":1[0-9]{9}\b`), `"created":1700000000`},
		{regexp.MustCompile(`02:00:00(:[0-9a-f]{2}){3}`), "02:00:00:aa:bb:cc"},
		{regexp.MustCompile(`"(vxlan_id|vxid)":[0-9]+`), `"$1":4882442`},
		{regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`), "http://images.example"},
		{regexp.MustCompile(regexp.QuoteMeta(shakenfist.Version)), "1.2.3"},
		{regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`), "eyJ.eyJ.signature"},
		{regexp.MustCompile(`br-vxlan-[0-9a-f]{6}`), "br-vxlan-4a8062"},
		{regexp.MustCompile(`"pid":[0-9]+`), `"pid":4711`},
		{regexp.MustCompile(`"(cpu_load_[0-9]+|process_[a-z_]+_[a-z-]+)":[0-9]+\.[0-9]+`), `"$1":0.5`},
	}
)

// golden sends and compares the body's bytes with the golden file of that name.
func (l *lab) golden(name, method, path, as string, body any, headers ...string) answer {
	l.t.Helper()
	return l.goldenPart(name, method, path, as, body, func(whole []byte) []byte { return whole }, headers...)
}

// goldenPart is golden for a body of which only a part is the same each time, or worth a look.
func (l *lab) goldenPart(name, method, path, as string, body any, part func([]byte) []byte, headers ...string) answer {
	l.t.Helper()
	a := l.send(method, path, as, body, headers...)
	if a.status != http.StatusOK {
		l.t.Fatalf("%s: %d %s", name, a.status, a.body)
	}
	got := anyUUID.ReplaceAllFunc(part(bytes.Clone(a.body)), func(id []byte) []byte {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.names[string(id)] == "" {
			l.names[string(id)] = fmt.Sprintf("00000000-0000-4000-8000-%012d", len(l.names)+1)
		}
		return []byte(l.names[string(id)])
	})
	for _, v := range volatiles {
		got = v.pattern.ReplaceAll(got, []byte(v.shown))
	}
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			l.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		l.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		l.t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
	}
	if l.ledger != nil {
		l.ledger.compared(name, method, path)
	}
	return a
}

// goldenIntent is golden for a request of demo whose effect begins before its answer is written: the loops wait for the answer.
func (l *lab) goldenIntent(name, method, path string, body any) answer {
	l.t.Helper()
	l.loops.Lock()
	defer l.loops.Unlock()
	return l.golden(name, method, path, "demo", body)
}

// waitInstance and waitNetwork wait in the process, not over HTTP.

func (l *lab) waitInstance(id string, states ...instance.State) {
	l.t.Helper()
	if _, err := l.cloud.Instances.Wait(l.t.Context(), id, states...); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) waitNetwork(id string, states ...network.State) {
	l.t.Helper()
	if _, err := l.cloud.Networks.Wait(l.t.Context(), id, states...); err != nil {
		l.t.Fatal(err)
	}
}

// makeNetwork makes a usable network and returns its UUID.
func (l *lab) makeNetwork(as, name string) string {
	l.t.Helper()
	n := get[api.Network](l, http.MethodPost, "/networks", as, map[string]any{"name": name, "netblock": "10.0.0.0/24"})
	l.waitNetwork(n.UUID, network.Created)
	return n.UUID
}

// makeInstance makes an instance web1 with a blank disk and returns its UUID once it runs.
func (l *lab) makeInstance(as string, networks ...map[string]any) string {
	l.t.Helper()
	i := get[api.Instance](l, http.MethodPost, "/instances", as, blankInstance(networks...))
	l.waitInstance(i.UUID, instance.Created)
	return i.UUID
}

// blankInstance asks for an instance web1 with a blank disk.
func blankInstance(networks ...map[string]any) map[string]any {
	return map[string]any{"name": "web1", "cpus": 1, "memory": 128, "disk": []any{map[string]any{"size": 1}}, "network": networks}
}
