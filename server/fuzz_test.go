package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/simulation"
)

// playground is a simulated cloud that forgets at once what was deleted and reaches nobody, behind the API without a network.
type playground struct {
	cloud   *shakenfist.Cloud
	handler http.Handler
	token   string // of the namespace demo
}

// noNetwork fails whatever is asked of it.
type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("there is no network")
}

func newPlayground(f *testing.F) *playground {
	f.Helper()
	c := simulation.Config()
	c.Dir, c.Node, c.HashCost, c.Linger = f.TempDir(), "node-1", bcrypt.MinCost, time.Millisecond
	c.HTTPClient = &http.Client{Transport: noNetwork{}}
	cloud, err := shakenfist.New(c)
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := cloud.Run(ctx); err != nil {
			f.Error(err)
		}
	})
	f.Cleanup(running.Wait)
	f.Cleanup(cancel)
	if err := cloud.Ready(ctx); err != nil {
		f.Fatal(err)
	}
	if _, err := cloud.Namespaces.Create(ctx, "demo", "deploy", "secret"); err != nil {
		f.Fatal(err)
	}
	p := &playground{cloud: cloud, handler: New(cloud, Options{TokenLife: 24 * time.Hour})}
	var t api.Token
	if a := p.send(http.MethodPost, "/auth", "", `{"namespace": "demo", "key": "secret"}`); json.Unmarshal(a.body, &t) != nil || t.AccessToken == "" {
		f.Fatalf("login: %d %s", a.status, a.body)
	}
	p.token = "Bearer " + t.AccessToken
	return p
}

func (p *playground) send(method, path, authorization, body string) answer {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header["Authorization"] = []string{authorization}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

// checkArguments fails unless what was read is of the kinds that it should be, or the error says what is wrong where.
func checkArguments(t *testing.T, known []arg, got args, err error) {
	t.Helper()
	if err != nil {
		checkNamed(t, known, err)
		return
	}
	for _, a := range known {
		v, ok := got[a.name]
		if !ok {
			if a.must {
				t.Fatalf("%s is missing and nobody said so", a.name)
			}
			continue
		}
		switch a.kind {
		case argText:
			_, ok = v.(string)
		case argBool:
			_, ok = v.(bool)
		case argInt:
			var n int
			n, ok = v.(int)
			ok = ok && n <= maxWhole && n >= -maxWhole
		case argList:
			_, ok = v.([]any)
		case argObject:
			_, ok = v.(map[string]any)
		case argAny:
		case argIgnored:
			ok = false
		}
		if !ok {
			t.Fatalf("%s is %#v", a.name, v)
		}
	}
}

// checkNamed fails unless an error is the caller's fault and names an argument, a field, the body or the query.
func checkNamed(t *testing.T, known []arg, err error) {
	t.Helper()
	text := fault.Text(err)
	if fault.KindOf(err) != fault.Invalid || len(text) > 2048 {
		t.Fatalf("%v is not the caller's fault, or is long", err)
	}
	for _, words := range []string{"unknown argument \"", "request body", "query string"} {
		if strings.Contains(text, words) {
			return
		}
	}
	for _, a := range known {
		if strings.HasPrefix(text, a.name) || strings.Contains(text, "missing "+a.name+" ") || a.missing != "" && text == a.missing {
			return
		}
	}
	t.Fatalf("%q names nothing", text)
}

// checkSpec goes on where arguments become an instance's spec.
func checkSpec(t *testing.T, rt route, got args) {
	t.Helper()
	if rt.method != http.MethodPost || rt.pattern != api.PathInstances {
		return
	}
	if err := fillSpec(&instance.Spec{}, got); err != nil && fault.KindOf(err) != fault.Invalid {
		t.Fatalf("%v is not the caller's fault", err)
	}
}

func FuzzArguments(f *testing.F) {
	routes := (&server{}).routes()
	for i, rt := range routes {
		if rt.pattern == api.PathInstances || rt.pattern == api.PathNetworks {
			f.Add(uint8(i), `{"name":"a","cpus":"1","memory":128,"disk":[{"size":1}],"network":[{"network_uuid":"lan","address":null}],"video":{"model":"vga","memory":"1"},"metadata":"{}"}`)
			f.Add(uint8(i), `{"all":1,"netblock":"10.0.0.0/24","provide_dhcp":"no"}`)
		}
	}
	f.Add(uint8(0), `[[[[`)
	f.Add(uint8(1), `{"key":{"a":[1,2.5e3,null]},"namespace":""}`)
	f.Fuzz(func(t *testing.T, n uint8, body string) {
		rt := routes[int(n)%len(routes)]
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		got, err := readArguments(httptest.NewRecorder(), r, rt.known())
		checkArguments(t, rt.known(), got, err)
		if err == nil {
			checkSpec(t, rt, got)
		}
	})
}

func FuzzQuery(f *testing.F) {
	routes := (&server{}).routes()
	for _, query := range []string{"", "all=false", "limit=-1&event_type=audit", "%zz=1&;", "disk=[{\"size\":1}]&cpus=1&memory=1&name=a", "a=%ff", "length=10240&length=x"} {
		for n := range len(routes) {
			f.Add(uint8(n), query)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, query string) {
		rt := routes[int(n)%len(routes)]
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.URL.RawQuery = query
		got, err := readArguments(httptest.NewRecorder(), r, rt.known())
		checkArguments(t, rt.known(), got, err)
		if err == nil {
			checkSpec(t, rt, got)
		}
	})
}

func FuzzPath(f *testing.F) {
	mux := http.NewServeMux()
	served := false
	for _, pattern := range []string{"/{$}", "/instances", "/instances/{ref}", "/instances/{ref}/events", "/apidocs/{file}", "/"} {
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) { served = true })
	}
	for _, path := range []string{
		"/", "//", "/api", "/api//instances/", "/instances/../networks", "/instances/%2e%2e", "/artifacts/demo%2Fbase", "/%2F%2e%2E/x", "*", "http://host/x", "/a%00b", "/;x?y#z",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || path == "*" {
			return // net/http answers with 400
		}
		r := normalised(&http.Request{Method: http.MethodGet, URL: u, Host: "host", RequestURI: path})
		got := r.URL.EscapedPath()
		for i, segment := range strings.Split(got, "/") {
			if (i == 0) != (segment == "") && got != "/" || segment == "." || segment == ".." {
				t.Fatalf("%q became %q", path, got)
			}
		}
		if back, err := url.ParseRequestURI(got); err != nil || back.Path != r.URL.Path {
			t.Fatalf("%q became %q, which means %v (%v) and not %q", path, got, back, err, r.URL.Path)
		}
		served = false
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if !served || w.Code != http.StatusOK {
			t.Fatalf("%q, as %q, is answered with %d to %q", path, got, w.Code, w.Header().Get("Location"))
		}
	})
}

func FuzzToken(f *testing.F) {
	p := newPlayground(f)
	parts := strings.Split(p.token, ".")
	for _, header := range []string{
		p.token, "Bearer", "bearer  " + p.token[7:] + " ", "Basic ZGVtbzpkZW1v", parts[0] + "." + parts[1] + ".", parts[0] + ".e30." + parts[2],
		"Bearer eyJhbGciOiJub25lIn0." + parts[1] + ".", "Bearer ..", "Bearer a.b.c.d",
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		a := p.send(http.MethodGet, "/networks", header, "")
		var e api.Error
		switch {
		case a.status == http.StatusOK:
			if plain := strings.NewReplacer("\r", "", "\n", "").Replace(header); !strings.Contains(plain, parts[1]+".") {
				t.Fatalf("%q opened the door", header)
			}
		case a.status != http.StatusUnauthorized || json.Unmarshal(a.body, &e) != nil || e.Error == "":
			t.Fatalf("%q: %d %s", header, a.status, a.body)
		case len(header) > 20 && strings.Contains(string(a.body), header):
			t.Fatalf("the error repeats the token: %s", a.body)
		}
	})
}

func FuzzCreateInstance(f *testing.F) {
	p := newPlayground(f)
	promised, err := ours()
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{
		`{"name": "web1", "cpus": 1, "memory": 128, "disk": [{"size": 1}]}`,
		`{"name": "web1", "cpus": "2", "memory": 128, "network": [{"network_uuid": "lan", "address": "10.0.0.9", "float": false}],
			"disk": [{"size": "1", "base": "http://host/x", "bus": null, "type": "disk"}], "ssh_key": null, "user_data": "I2Nsb3Vk", "namespace": null,
			"video": {"model": "cirrus", "memory": "16384", "vdi": "spice"}, "uefi": true, "secure_boot": true, "configdrive": "none",
			"metadata": {"tags": ["web"], "affinity": {"web": -1}}, "nvram_template": null, "side_channels": [], "placed_on": "node-1"}`,
		`{"name": "a", "cpus": 1, "memory": 1, "disk": [{"size": 1}, {"size": 2, "bus": "ide", "type": "cdrom"}], "metadata": "{\"a\": 1e400}", "dry_run": true}`,
		``, `[]`, `{"name": "a-", "cpus": -1, "memory": 1e300, "disk": {}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		a := p.send(http.MethodPost, "/instances", p.token, body)
		if a.status >= http.StatusInternalServerError && a.status != http.StatusInsufficientStorage {
			t.Fatalf("%q: %d %s", body, a.status, a.body)
		}
		if err := promised.check(http.MethodPost, "/instances", a); err != nil {
			t.Fatal(err)
		}
		var made api.Instance
		if a.status != http.StatusOK || json.Unmarshal(a.body, &made) != nil || made.UUID == "" {
			return
		}
		if _, err := p.cloud.Instances.Delete(context.Background(), made.UUID); err != nil {
			t.Fatalf("%q made an instance that cannot be deleted: %v", body, err)
		}
	})
}
