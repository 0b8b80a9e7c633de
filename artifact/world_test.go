package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/stepped"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// imageURL is where the tests' origin has its image.
const imageURL = "http://images.test/disks/disk.img"

// world is what outlives a process: the store, the disk, the hypervisor and the images' origin.
type world struct {
	t      *testing.T
	store  *memstore.Store
	dir    string
	hv     *simhv.Driver
	origin *origin

	onChange func(artifactID string) // of the clouds to come; nil for nobody
}

// newWorld must be called in a synctest bubble.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: memstore.New(), dir: t.TempDir(), hv: simhv.New(simhv.Options{}), origin: newOrigin(t)}
	t.Cleanup(func() { _ = w.store.Close() })
	return w
}

// cloud is a process: managers and their loops.
type cloud struct {
	*world
	view       *view.View
	events     *event.Recorder
	namespaces *namespace.Manager
	blobs      *blob.Manager
	artifacts  *artifact.Manager
	ctx        context.Context //nolint:containedctx // the process's life
	stop       func()
}

const (
	linger = time.Hour
	resync = 30 * time.Second
)

// start starts a process whose steps h hears of, with limits as set.
func (w *world) start(h step.Hook, set ...func(*artifact.Deps, *blob.Deps)) *cloud {
	w.t.Helper()
	var s store.Store = w.store
	hv := stepped.Hypervisor(w.hv, nil)
	if h != nil {
		s, hv = stepped.Store(w.store, h), stepped.Hypervisor(w.hv, h)
	}
	ctx, cancel := context.WithCancel(step.WithHook(w.t.Context(), h))
	v := view.New(s, discard())
	c := &cloud{world: w, view: v, events: event.NewRecorder(s, "node-1"), ctx: ctx}
	c.namespaces = namespace.New(v, c.events, []byte("secret"), 4)
	bd := blob.Deps{View: v, Events: c.events, Driver: hv, Dir: w.dir, Node: "node-1", Linger: linger, Resync: resync}
	ad := artifact.Deps{
		View: v, Events: c.events, Namespaces: c.namespaces, Metadata: metadata.New(v, c.events), Node: "node-1",
		Client: w.origin.client(), Linger: linger, Resync: resync,
	}
	for _, f := range set {
		f(&ad, &bd)
	}
	c.blobs = blob.New(bd)
	ad.Blobs = c.blobs
	c.artifacts = artifact.New(ad)
	if w.onChange != nil {
		c.artifacts.OnChange(w.onChange)
	}
	var running sync.WaitGroup
	for _, run := range []func(context.Context){v.Run, c.blobs.Run, c.artifacts.Run} {
		running.Go(func() { run(ctx) })
	}
	var once sync.Once
	c.stop = func() { once.Do(func() { cancel(); running.Wait() }) }
	w.t.Cleanup(c.stop)
	require.NoError(w.t, v.Fresh(ctx))
	return c
}

// withOrigin makes shorthands mean the tests' origin.
func withOrigin(a *artifact.Deps, _ *blob.Deps) {
	a.ImageURL, a.CirrosURL = "http://images.test/", "http://cirros.test"
}

// withNamespaces makes the namespaces the tests use.
func (c *cloud) withNamespaces(names ...string) *cloud {
	c.t.Helper()
	for _, name := range append([]string{"system", "tenant"}, names...) {
		_, err := c.namespaces.Create(c.ctx, name, "", "")
		require.NoError(c.t, err)
	}
	return c
}

// trust makes one namespace trust another, by the record in the store: namespaces learn to do so in another package.
func (c *cloud) trust(owner, other string) {
	c.t.Helper()
	tx := view.Txn{Name: "trust", Ref: owner}
	tx.Do(store.Put(view.Prefix+"namespace/"+owner, []byte(`{"schema":1,"record":{"trusts":["`+other+`"]}}`)))
	_, err := c.view.Commit(c.ctx, tx)
	require.NoError(c.t, err)
	require.True(c.t, c.namespaces.Trusts(owner, other))
}

// await waits until cond holds, at most an hour of the bubble's time.
func (c *cloud) await(what string, cond func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, time.Hour)
	defer cancel()
	require.NoError(c.t, c.view.Await(ctx, cond), "waiting for %s", what)
}

// fetched caches the image at a URL and waits until that is done.
func (c *cloud) fetched(url string) (artifact.Artifact, error) {
	c.t.Helper()
	a, err := c.artifacts.Cache(c.ctx, artifact.Request{URL: url, Namespace: "tenant"})
	require.NoError(c.t, err)
	return c.settled(a.ID)
}

// settled waits until an artifact is not being fetched, and returns it and why its fetch failed.
func (c *cloud) settled(id string) (artifact.Artifact, error) {
	c.t.Helper()
	tx := view.Txn{}
	a, err := c.artifacts.Get(c.ctx, id)
	require.NoError(c.t, err)
	w, err := c.artifacts.Want(c.ctx, &tx, a.SourceURL, a.Namespace)
	require.NoError(c.t, err)
	if len(tx.Ops) > 0 {
		w.Generation-- // not committed, so it is done already
	}
	var failed error
	c.await("the fetch of "+a.SourceURL, func() (done bool) {
		_, done, failed = c.artifacts.Progress(w)
		return done
	})
	a, err = c.artifacts.Get(c.ctx, id)
	require.NoError(c.t, err)
	return a, failed
}

// messages returns what an artifact's events say, oldest first.
func (c *cloud) messages(id string) []string {
	c.t.Helper()
	events, err := c.events.List(c.ctx, event.Object{Kind: "artifact", ID: id}, "", -1)
	require.NoError(c.t, err)
	var messages []string
	for _, e := range slices.Backward(events) {
		messages = append(messages, e.Message)
	}
	return messages
}

// files returns every file below the world's folder, relative to it.
func (w *world) files() []string {
	w.t.Helper()
	files := []string{}
	err := filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(w.dir, path)
			files = append(files, rel)
		}
		return err
	})
	require.NoError(w.t, err)
	return files
}

// keys returns every key of the store but heads and namespaces.
func (w *world) keys() []string {
	w.t.Helper()
	keys := []string{}
	for _, prefix := range []string{"o/", "c/", "e/"} {
		page, err := w.store.List(context.WithoutCancel(w.t.Context()), prefix, "", 0)
		require.NoError(w.t, err)
		for _, e := range page.Entries {
			if e.Key != "o/head" && !strings.HasPrefix(e.Key, "o/namespace/") && !strings.HasPrefix(e.Key, "e/namespace/") {
				keys = append(keys, e.Key)
			}
		}
	}
	return keys
}

// consistent checks what must hold at rest: every version's content and image are there, and no file besides.
func (c *cloud) consistent() {
	c.t.Helper()
	wanted := []string{}
	for _, b := range c.blobs.List(c.ctx) {
		require.Positive(c.t, b.References, "blob %s lives without a reference", b.ID)
		require.Equal(c.t, []string{"node-1"}, b.Locations)
		wanted = append(wanted, "blobs/"+b.ID[:2]+"/"+b.ID, "image_cache/"+b.ID+".qcow2")
	}
	for _, a := range c.artifacts.List(c.ctx, "system") {
		for _, v := range a.Versions {
			require.True(c.t, c.blobs.Held(v.Blob), "version %d of artifact %s has no content", v.Index, a.ID)
		}
	}
	require.ElementsMatch(c.t, wanted, c.files(), "files on disk")
}

// origin serves images inside a bubble, over pipes.
type origin struct {
	conns  chan net.Conn
	gets   atomic.Int64 // requests answered with content or not
	mu     sync.Mutex
	answer http.Handler // guarded by mu; nil refuses connections
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{conns: make(chan net.Conn)}
	s := &http.Server{Handler: http.HandlerFunc(o.serve)}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(o) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return o
}

func (o *origin) serve(w http.ResponseWriter, r *http.Request) {
	o.gets.Add(1)
	o.handler().ServeHTTP(w, r)
}

func (o *origin) handler() http.Handler {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answer
}

// does sets how the origin answers; nil refuses connections.
func (o *origin) does(h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = nil
	if h != nil {
		o.answer = h
	}
}

// has serves content as a file of that date.
func (o *origin) has(content []byte, modified time.Time) {
	o.does(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "disk.img", modified, bytes.NewReader(content))
	})
}

func (o *origin) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if o.handler() == nil {
				return nil, errors.New("connect: connection refused")
			}
			here, there := net.Pipe()
			select {
			case o.conns <- there:
				return here, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}}
}

// Accept, Close and Addr make the origin a net.Listener.
func (o *origin) Accept() (net.Conn, error) {
	if c, ok := <-o.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (o *origin) Close() error   { close(o.conns); return nil }
func (o *origin) Addr() net.Addr { return &net.UnixAddr{Name: "origin"} }

// disk returns a raw disk image of that many sectors; seeds tell contents apart.
func disk(sectors int, seed uint64) []byte {
	random := rand.NewChaCha8([32]byte{byte(seed), 1})
	b := make([]byte, 512*sectors)
	_, _ = random.Read(b)
	copy(b[510:], "\x55\xaa")
	return b
}

func textOf(err error) string { return fmt.Sprintf("%s: %s", fault.KindOf(err), fault.Text(err)) }
