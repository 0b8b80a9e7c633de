package cloudtest

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/server"
	"github.com/shakenfist/shakenfist/simulation"
)

func shuffle(points []Point, seed uint64) {
	rand.New(rand.NewPCG(seed, seed)).Shuffle(len(points), func(i, j int) { //nolint:gosec // a seeded sample
		points[i], points[j] = points[j], points[i]
	})
}

// Simulated is a world of simulations in this process's memory.
type Simulated struct {
	Parts  simulation.Parts
	dir    string
	images *httptest.Server         // nil in a bubble
	change func(*shakenfist.Config) // before a process starts; may be nil
	served bool                     // the API is behind a socket
}

// NewSimulated returns a fresh one.
func NewSimulated(t testing.TB) World {
	t.Helper()
	// A boot sector's signature, and nothing else: an image, as far as anybody looks.
	disk := make([]byte, 1<<16)
	disk[510], disk[511] = 0x55, 0xaa
	images := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(disk) }))
	return &Simulated{Parts: simulation.New(), dir: t.TempDir(), images: images}
}

// NewSimulatedWith returns a fresh one whose processes have their configuration changed.
func NewSimulatedWith(t testing.TB, change func(*shakenfist.Config)) World {
	t.Helper()
	s := NewSimulated(t).(*Simulated) //nolint:errcheck,forcetypeassert // it is one
	s.change = change
	return s
}

// NewSimulatedServed is NewSimulatedWith for processes whose API is reached over HTTP.
func NewSimulatedServed(t testing.TB, change func(*shakenfist.Config)) World {
	t.Helper()
	s := NewSimulatedWith(t, change).(*Simulated) //nolint:errcheck,forcetypeassert // it is one
	s.served = true
	return s
}

// Image is the URL of an image.
func (s *Simulated) Image() string {
	if s.images == nil {
		return bubbleImages + "/disk.raw"
	}
	return s.images.URL + "/disk.raw"
}

// Close ends the image server.
func (s *Simulated) Close(testing.TB) { s.images.Close() }

const simulatedKey = "the key of a simulated operator"

// Boot starts a cloud over the world's parts, with the API before it.
func (s *Simulated) Boot(ctx context.Context, t testing.TB, kill Point) *Process {
	t.Helper()
	return s.boot(ctx, t, newKiller(kill, nil))
}

func (s *Simulated) boot(ctx context.Context, t testing.TB, k *killer) *Process {
	t.Helper()
	config := s.Parts.Config()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	config.Logger = log
	config.Node, config.Dir, config.HashCost, config.Steps = "n1", s.dir, 4, k.hook
	if s.change != nil {
		s.change(&config)
	}
	cloud, err := shakenfist.New(config)
	require.NoError(t, err)
	stop := cloud.Start(ctx)
	p := &Process{Dead: k.dead, Steps: k.reached, Events: cloud.Events, Stop: func() { _ = stop() }}
	ready, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-k.dead:
			cancel()
		case <-ready.Done():
		}
	}()
	if err := cloud.Ready(ready); err == nil {
		err = cloud.Namespaces.SetKey(ctx, namespace.System, "test", simulatedKey, false)
		if errors.Is(err, fault.Unavailable) { // a step that failed on purpose
			err = cloud.Namespaces.SetKey(ctx, namespace.System, "test", simulatedKey, false)
		}
		if !p.dead() {
			require.NoError(t, err)
		}
	}
	handler := server.New(cloud, server.Options{Log: log}) //nolint:contextcheck // requests bring their own
	url, transport := "http://cloud", &http.Client{Transport: direct{handler, k.dead}}
	if s.served {
		front := httptest.NewServer(handler)
		t.Cleanup(front.Close)
		url, transport = front.URL, front.Client()
	}
	p.As = func(namespace, key string) *client.Client {
		c, err := client.New(client.Options{BaseURL: url, Namespace: namespace, Key: key, HTTPClient: transport, Poll: poll})
		require.NoError(t, err)
		return c
	}
	p.Client = p.As(namespace.System, simulatedKey)
	return p
}

// direct is a transport that calls a handler in this process. When the process it stands for is dead, nobody answers.
type direct struct {
	handler http.Handler
	dead    <-chan struct{}
}

var errDead = errors.New("the process is dead")

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	answered := make(chan *http.Response, 1)
	go func() {
		w := httptest.NewRecorder()
		in := r.Clone(r.Context())
		if in.Body == nil {
			in.Body = http.NoBody // what a server always has
		}
		d.handler.ServeHTTP(w, in)
		a := w.Result()
		a.Request = r
		answered <- a
	}()
	select {
	case a := <-answered:
		select {
		case <-d.dead: // it died before it could send this
			return nil, errDead
		default:
			return a, nil
		}
	case <-d.dead:
		return nil, errDead
	}
}

// killer is the hook of a process in this process: from its point on, nothing has an effect any more.
type killer struct {
	point Point
	fails error // not nil: the point fails once with this, and the process goes on
	dead  chan struct{}

	mu    sync.Mutex
	gone  bool          // guarded by mu
	hit   bool          // guarded by mu; the point was reached
	seen  map[Point]int // guarded by mu; by step and side: how often
	steps []Point       // guarded by mu
}

func newKiller(point Point, fails error) *killer {
	return &killer{point: point, fails: fails, dead: make(chan struct{}), seen: map[Point]int{}}
}

func (k *killer) hook(_ context.Context, s step.Step) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return errDead
	}
	kind := Point{Step: s.Name, After: s.After}
	k.seen[kind]++
	p := Point{Step: s.Name, Nth: k.seen[kind], After: s.After}
	k.steps = append(k.steps, p)
	if p != k.point {
		return nil
	}
	k.hit = true
	if k.fails != nil {
		return k.fails
	}
	k.gone = true
	close(k.dead)
	return errDead
}

// wasHit reports whether the point was reached.
func (k *killer) wasHit() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.hit
}

func (k *killer) reached() []Point {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]Point(nil), k.steps...)
}

// Leftovers looks at the hypervisor, the network, the files and the store.
func (s *Simulated) Leftovers(ctx context.Context, t testing.TB) []string {
	t.Helper()
	var left []string
	domains, err := s.Parts.Hypervisor.List(ctx)
	require.NoError(t, err)
	for _, d := range domains {
		left = append(left, "domain "+d.ID)
	}
	networks, err := s.Parts.Network.List(ctx)
	require.NoError(t, err)
	for _, n := range networks {
		left = append(left, "network "+n.UUID)
	}
	err = filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && path == filepath.Join(s.dir, "events") {
			return fs.SkipDir // events outlive what they are about
		}
		if err == nil && !e.IsDir() {
			left = append(left, "file "+path)
		}
		return nil // what vanishes while we look is not left
	})
	require.NoError(t, err)
	return append(left, s.leftKeys(ctx, t)...)
}

// leftKeys lists the keys that only living objects have.
func (s *Simulated) leftKeys(ctx context.Context, t testing.TB) []string {
	t.Helper()
	var left []string
	for _, prefix := range []string{"c/", "o/ipam/", "o/ref/", "o/location/"} {
		page, err := s.Parts.Store.List(ctx, prefix, "", 0)
		require.NoError(t, err)
		for _, e := range page.Entries {
			left = append(left, "key "+e.Key)
		}
	}
	page, err := s.Parts.Store.List(ctx, "o/capacity/", "", 0)
	require.NoError(t, err)
	for _, e := range page.Entries {
		if !strings.Contains(string(e.Value), `"vcpus":0,"memory_mib":0,"disk_gib":0,"instances":0`) {
			left = append(left, "capacity "+string(e.Value))
		}
	}
	return left
}
