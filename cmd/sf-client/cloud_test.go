package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/server"
	"github.com/shakenfist/shakenfist/simulation"
)

// world is what a script runs against: a simulated cloud with its API, before which requests are noted, and refused or held
// when a script says so. It is an http.Handler.
type world struct {
	parts    simulation.Parts
	images   *images
	scrubber *scrubber
	api      http.Handler

	mu       sync.Mutex // guards what follows
	noted    []string
	refusals map[string]api.Error     // of the next request, by method and path
	held     map[string]chan struct{} // closed when it goes on, by method and path
}

// startCloud runs a cloud of one node until the script ends.
func startCloud(e *testscript.Env) (*world, error) {
	t := e.T().(testing.TB) //nolint:errcheck // testscript.Run passes what it was given
	w := &world{
		parts: simulation.New(), images: newImages(), scrubber: newScrubber(),
		refusals: map[string]api.Error{}, held: map[string]chan struct{}{},
	}
	c := w.parts.Config()
	c.Node, c.Dir, c.HashCost = "node-1", t.TempDir(), bcrypt.MinCost
	c.ImageURL, c.HTTPClient = "http://images.example", &http.Client{Transport: w.images}
	cloud, err := shakenfist.New(c)
	if err != nil {
		return nil, err
	}
	stop := cloud.Start(t.Context())
	e.Defer(func() {
		w.images.release()
		if err := stop(); err != nil {
			t.Errorf("the cloud failed: %v", err)
		}
	})
	if err := cloud.Ready(t.Context()); err != nil {
		return nil, err
	}
	w.api = server.New(cloud, server.Options{})
	return w, cloud.Namespaces.SetKey(t.Context(), "system", "deploy", "s3cret", false)
}

// ServeHTTP notes a request and passes it on.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	path, err := url.PathUnescape(r.URL.EscapedPath())
	if err != nil {
		path = r.URL.Path
	}
	refusal, refused, held := w.note(r.Method+" "+path, string(body))
	if held != nil {
		<-held
	}
	if refused {
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(refusal.Status)
		_ = json.NewEncoder(out).Encode(refusal) // the client sees what is missing
		return
	}
	w.api.ServeHTTP(out, r)
}

// note keeps a request, but for those that every run of the program makes, and returns what shall become of it.
func (w *world) note(request, body string) (refusal api.Error, refused bool, held chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if request != "GET /" && request != "POST /auth" {
		w.noted = append(w.noted, strings.TrimSpace(request+" "+body))
	}
	refusal, refused = w.refusals[request]
	delete(w.refusals, request)
	return refusal, refused, w.held[request]
}

// requests returns the requests since it was called last, a line each. How often one was repeated depends on how quick the
// cloud is, so that counts as once.
func (w *world) requests() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := strings.Join(slices.Compact(w.noted), "\n") + "\n"
	w.noted = nil
	return lines
}

func (w *world) refuse(method, path string, status int, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusals[method+" "+path] = api.Error{Error: text, Status: status}
}

func (w *world) hold(method, path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held[method+" "+path] = make(chan struct{})
}

func (w *world) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for request, held := range w.held {
		close(held)
		delete(w.held, request)
	}
}
