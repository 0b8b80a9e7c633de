package server

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/internal/contract"
)

// chapters are the walks through the rows of the contract, each in a lab of its own: beside the bodies of status 200, of which
// golden files hold the bytes, stand the refusals.
var chapters = map[string]func(*lab){
	"plain":      (*lab).plainRows,
	"namespaces": (*lab).namespaceRows,
	"keys":       (*lab).keyRows,
	"trusts":     (*lab).trustRows,
	"networks":   (*lab).networkRows,
	"instances":  (*lab).instanceRows,
	"snapshots":  (*lab).snapshotRows,
	"creation":   (*lab).createRows,
	"delete all": (*lab).deleteAllRows,
	"artifacts":  (*lab).artifactRows,
	"uploads":    (*lab).uploadRows,
	"versions":   (*lab).versionRows,
	"labels":     (*lab).labelRows,
	"nodes":      (*lab).nodeRows,
	"admin":      (*lab).adminRows,
	"metadata":   (*lab).metadataRows,
}

// TestEveryRowOfTheContractHolds fails if a row of the contract does not answer as it says, or if nothing shows that it does.
func TestEveryRowOfTheContractHolds(t *testing.T) { //nolint:tparallel // all rows must be through before they are counted
	t.Parallel()
	proveRows(t)
}

// proveRows walks through all chapters and returns what was seen.
func proveRows(t *testing.T) (golden, refusals, bodies int) {
	t.Helper()
	proof := newLedger(t)
	t.Run("rows", func(t *testing.T) {
		for name, walk := range chapters {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				l.ledger = proof
				walk(l)
			})
		}
	})
	golden, refusals = proof.complete()
	return golden, refusals, proof.bodies
}

// TestTheContractListsWhatIsServed compares the routes with the rows, from both ends.
func TestTheContractListsWhatIsServed(t *testing.T) {
	t.Parallel()
	rows := map[string]contract.Route{}
	for _, r := range contract.Routes() {
		rows[r.Name()] = r
	}
	classes := map[contract.Who]who{
		contract.None: nobody, contract.Any: anybody, contract.Owner: owner, contract.Trusted: trusted, contract.Shared: trusted,
		contract.Admin: admin,
	}
	for _, rt := range (&server{}).routes() {
		name := rt.method + " " + rt.pattern
		row, listed := rows[name]
		delete(rows, name)
		switch {
		case !listed:
			t.Errorf("%s is served, but is not in the contract", name)
		case !row.Done():
			t.Errorf("%s is served, but the contract has it in issue %d", name, row.Issue)
		case rt.who != classes[row.Who] && (row.Kind() != contract.Blob || rt.who != anybody):
			t.Errorf("%s is for %s, want %s", name, rt.who, row.Who)
		}
		if rt.handle == nil {
			t.Errorf("%s has no handler", name)
		}
		for _, a := range rt.args {
			if a.doc == "" {
				t.Errorf("%s: argument %s is not described", name, a.name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if rows[name].Done() {
			t.Errorf("%s is in the contract, but is not served", name)
		}
	}
}

// TestWhatComesLaterIsNotThere asks for the rows of later issues, and looks for them in the OpenAPI document, which has all
// others.
func TestWhatComesLaterIsNotThere(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	document := get[struct {
		Paths map[string]map[string]any `json:"paths"`
	}](l, http.MethodGet, "/openapi.json", "", nil)
	served := map[string]bool{}
	for _, rt := range (&server{}).routes() {
		served[rt.pattern] = true
	}
	for _, r := range contract.Routes() {
		if r.Done() {
			if _, described := document.Paths[inDocument(r.Path)][strings.ToLower(r.Method)]; !described {
				t.Errorf("the OpenAPI document lacks %s", r.Name())
			}
			continue
		}
		path := strings.NewReplacer("{ref}", nothing, "{uuid}", nothing, "{name...}", "a", "{name}", "a", "{index}", "1", "{address}", "10.0.0.9",
			"{algorithm}", "sha512", "{hash}", "00", "{offset}", "0").Replace(r.Path)
		want := http.StatusNotFound
		if served[r.Path] {
			want = http.StatusMethodNotAllowed // the path has other methods today
		}
		if a := l.send(r.Method, path, "system", nil); a.status != want {
			t.Errorf("%s: %d %s, want %d", r.Name(), a.status, a.body, want)
		}
		if _, described := document.Paths[inDocument(r.Path)][strings.ToLower(r.Method)]; described {
			t.Errorf("the OpenAPI document has %s", r.Name())
		}
	}
}

// TestTheRootPagePromisesWhatIsServed looks for capability words: those of this version, and none of later issues.
func TestTheRootPagePromisesWhatIsServed(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	page := string(l.send(http.MethodGet, "/", "", nil).body)
	for _, word := range contract.Words() {
		if got := strings.Contains(page, word.Name); got != word.Done() {
			t.Errorf("the root page has %s: %v, want %v", word.Name, got, word.Done())
		}
		if got := slices.Contains(api.Capabilities(), word.Name); got != word.Done() {
			t.Errorf("api.Capabilities has %s: %v, want %v", word.Name, got, word.Done())
		}
	}
}
