package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shakenfist/shakenfist/internal/contract"
)

// class is what a caller is to the object of a request.
type class string

const (
	unknown  class = "unknown"  // without a token that counts
	stranger class = "stranger" // of a namespace that the object's has nothing to do with
	friend   class = "friend"   // of a namespace that the object's trusts
	tenant   class = "tenant"   // of the object's namespace
	operator class = "operator" // of the namespace system
)

// rules are the statuses that each class of callers gets. Whoever may not know of an object is told that it is not there.
var rules = map[contract.Who]map[class]int{
	contract.None:    {unknown: 200, stranger: 200, friend: 200, tenant: 200, operator: 200},
	contract.Any:     {unknown: 401, stranger: 200, friend: 200, tenant: 200, operator: 200},
	contract.Owner:   {unknown: 401, stranger: 404, friend: 404, tenant: 200, operator: 200},
	contract.Trusted: {unknown: 401, stranger: 404, friend: 200, tenant: 200, operator: 200},
	contract.Shared:  {unknown: 401, stranger: 404, friend: 200, tenant: 200, operator: 200},
	contract.Admin:   {unknown: 401, stranger: 401, friend: 401, tenant: 401, operator: 200},
	tenantsOnly:      {unknown: 401, stranger: 401, friend: 401, tenant: 200, operator: 200},
}

// tenantsOnly is for routes whose argument names a namespace that nobody else may name.
const tenantsOnly contract.Who = "the namespace itself"

// caller is somebody who sends requests.
type caller struct {
	name   string
	header string // Authorization; "" for none
	space  string // the namespace it is of; "" if its token counts for nothing
	words  string // what it is told then
}

// callers are nine: five whose token counts for nothing, a stranger, a friend of demo, demo itself and the operator.
func (l *lab) callers() []caller {
	l.t.Helper()
	l.grow("friend", "gone")
	get[any](l, http.MethodPost, "/auth/namespaces/demo/trust", "demo", fields{"external_namespace": "friend"})
	get[any](l, http.MethodPost, "/auth/namespaces/demo/keys", "demo", fields{"key_name": "rotated", "key": "before"})
	rotated, gone := l.login("demo", "before"), l.token("gone")
	get[any](l, http.MethodPut, "/auth/namespaces/demo/keys", "demo", fields{"key_name": "rotated", "key": "after"})
	get[any](l, http.MethodDelete, "/auth/namespaces/gone", "system", nil)
	expired := forge(l.t, l, func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() })
	list := []caller{
		{"without a token", "", "", "Missing Authorization Header"},
		{"with garbage", "Bearer garbage", "", "invalid JWT in Authorization header"},
		{"with an expired token", "Bearer " + expired, "", "Signature has expired"},
		{"with a rotated key's token", "Bearer " + rotated, "", "key was changed"},
		{"with a deleted namespace's token", "Bearer " + gone, "", "namespace no longer exists"},
	}
	for _, space := range []string{"other", "friend", "demo", "system"} {
		list = append(list, caller{"of " + space, "Bearer " + l.token(space), space, ""})
	}
	return list
}

// grow makes namespaces with a key that is their name.
func (l *lab) grow(names ...string) {
	l.t.Helper()
	for _, name := range names {
		get[any](l, http.MethodPost, "/auth/namespaces", "system", fields{"namespace": name, "key_name": "deploy", "key": name})
	}
}

// classOf is what c is to an object of a namespace.
func (c caller) classOf(namespace string) class {
	switch {
	case c.space == "":
		return unknown
	case c.space == "system":
		return operator
	case c.space == namespace:
		return tenant
	case c.space == "friend" && namespace == "demo":
		return friend
	}
	return stranger
}

// cell is one request of the matrix.
type cell struct {
	row    contract.Route
	target target
	caller caller
}

// want returns the status that the rules demand.
func (c cell) want() int {
	who := c.row.Who
	switch {
	case c.target.who != "":
		who = c.target.who
	case who == contract.Shared && c.target.shared:
		who = contract.Any
	}
	return rules[who][c.caller.classOf(c.target.owner)]
}

func (c cell) String() string {
	return fmt.Sprintf("%s on %s %s", c.row.Name(), c.target.name, c.caller.name)
}

// TestEachCallerGetsWhatTheRulesSay tries each route as each caller on each kind of object.
func TestEachCallerGetsWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	refused, allowed := proveMatrix(t)
	t.Logf("auth matrix: %d cells, %d refused without a trace, %d allowed", refused+allowed, refused, allowed)
}

// proveMatrix walks through the matrix and returns the number of cells that were refused and allowed.
func proveMatrix(t *testing.T) (refused, allowed int) {
	t.Helper()
	l := newLab(t)
	callers, site := l.callers(), newSite(l)
	var no, yes []cell
	for _, row := range contract.Routes() {
		for _, target := range site.targets(row) {
			for _, caller := range callers {
				if c := (cell{row, target, caller}); c.want() == http.StatusOK {
					yes = append(yes, c)
				} else {
					no = append(no, c)
				}
			}
		}
	}
	l.loops.Lock() // so that nothing but requests could change anything
	for _, c := range no {
		site.refuse(c)
	}
	l.loops.Unlock()
	slices.SortStableFunc(yes, func(a, b cell) int { return destruction(a.row) - destruction(b.row) })
	for _, c := range yes {
		site.allow(c)
	}
	return len(no), len(yes)
}

// destruction puts the routes last that take away what others need.
func destruction(r contract.Route) int {
	if r.Method == http.MethodDelete && r.Kind() == "" {
		return 1
	}
	return 0
}

// refuse sends a request that must be answered with the status of the rules, leave the store as it is, and tell nothing of
// the object: the same request for one that is not there gets the same answer.
func (s *site) refuse(c cell) {
	s.t.Helper()
	before := s.revision()
	got := s.request(c, c.target.ref, c.target.space)
	text := errorText(got.body)
	words := c.caller.words
	switch {
	case c.want() == http.StatusNotFound:
		words = "not found"
	case c.caller.space != "":
		words = "unauthorized"
	}
	if got.status != c.want() || !strings.Contains(text, words) {
		s.t.Errorf("%s: %d %s, want %d with %q", c, got.status, got.body, c.want(), words)
	}
	missing := s.request(c, c.target.missing, "nowhere")
	if missing.status != got.status || string(missing.body) != string(got.body) {
		s.t.Errorf("%s: %d %s, but %d %s for what is not there", c, got.status, got.body, missing.status, missing.body)
	}
	if after := s.revision(); after != before {
		s.t.Errorf("%s: refused, but the store went from revision %d to %d", c, before, after)
	}
}

// allow sends a request that must succeed.
func (s *site) allow(c cell) {
	s.t.Helper()
	ref := c.target.ref
	if c.target.fresh != nil && c.row.Method != http.MethodGet {
		ref = c.target.fresh(c)
	}
	if got := s.request(c, ref, c.target.space); got.status != http.StatusOK {
		s.t.Errorf("%s: %d %s, want 200", c, got.status, got.body)
	}
}

// request sends the request of a cell, with a complete body.
func (s *site) request(c cell, ref, space string) answer {
	s.t.Helper()
	path := s.parameters.Replace(c.row.Path)
	for _, parameter := range []string{"{ref}", "{uuid}", "{node}", "{namespace}", "{name...}"} {
		path = strings.Replace(path, parameter, ref, 1)
	}
	body := s.body(c.row)
	if c.target.space != "" {
		body["namespace"] = space
	}
	headers := []string{}
	if c.caller.header != "" {
		headers = []string{"Authorization", c.caller.header}
	}
	return s.send(c.row.Method, path, "", body, headers...)
}
