package server

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shakenfist/shakenfist/internal/contract"
)

// ledger notes what requests got, by row of the contract, so that a row that nothing proves is found.
type ledger struct {
	t    *testing.T
	rows map[string]*paths // by method
	want map[string]contract.Route

	mu      sync.Mutex
	refused map[string][]contract.Refusal // guarded by mu; by row, with the whole text
	golden  map[string][]string           // guarded by mu; by row
	bodies  int                           // guarded by mu; answers of status 200 that had the shape of their row
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	g := &ledger{
		t: t, rows: map[string]*paths{}, want: map[string]contract.Route{},
		refused: map[string][]contract.Refusal{}, golden: map[string][]string{},
	}
	for _, r := range contract.Routes() {
		if r.Done() {
			if g.rows[r.Method] == nil {
				g.rows[r.Method] = newPaths()
			}
			g.rows[r.Method].Handle(r.Path, http.NotFoundHandler())
			g.want[r.Name()] = r
		}
	}
	return g
}

// row returns the row that a request belongs to, false if none does.
func (g *ledger) row(method, path string) (contract.Route, bool) {
	u, err := url.ParseRequestURI("http://host" + path)
	if err != nil {
		g.t.Fatal(err)
	}
	rows := method
	if method == http.MethodHead {
		rows = http.MethodGet
	}
	if g.rows[rows] == nil {
		return contract.Route{}, false
	}
	_, pattern := g.rows[rows].Handler(normalised(&http.Request{Method: method, URL: u, Host: "host"}))
	r, ok := g.want[rows+" "+strings.TrimSuffix(pattern, "{$}")]
	return r, ok
}

// note remembers an answer, and compares one of status 200 with what the row promises.
func (g *ledger) note(method, path string, a answer) {
	r, ok := g.row(method, path)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.status != http.StatusOK {
		g.refused[r.Name()] = append(g.refused[r.Name()], contract.Refusal{Status: a.status, Text: errorText(a.body)})
		return
	}
	media, plain := strings.CutPrefix(r.Body, "media ")
	if !plain {
		media = "application/json"
	}
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, media) {
		g.t.Errorf("%s answers with %q, want %q", r.Name(), got, media)
	}
	if err := contract.Check(a.body, r.Body); err != nil {
		g.t.Errorf("%s %s is not %s: %v\n%s", method, path, r.Body, err, a.body)
	}
	g.bodies++
}

// compared remembers that an answer of status 200 equalled a golden file.
func (g *ledger) compared(name, method, path string) {
	if r, ok := g.row(method, path); ok {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.golden[r.Name()] = append(g.golden[r.Name()], name)
	}
}

// complete fails for each row that was not proved, and returns how many golden bodies and refusals were.
func (g *ledger) complete() (golden, refusals int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(g.want)) {
		r := g.want[name]
		for _, file := range r.Golden {
			if !slices.Contains(g.golden[name], file) {
				g.t.Errorf("%s: golden file %s was compared with nothing", name, file)
			}
			golden++
		}
		for _, want := range r.Refusals {
			if !slices.ContainsFunc(g.refused[name], func(got contract.Refusal) bool {
				return got.Status == want.Status && strings.Contains(got.Text, want.Text)
			}) {
				g.t.Errorf("%s: nothing was answered with %d and %q", name, want.Status, want.Text)
			}
			refusals++
		}
	}
	return golden, refusals
}
