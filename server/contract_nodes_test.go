package server

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

func (l *lab) nodeRows() {
	l.t.Helper()
	const all, node = "/nodes", "/nodes/node-1"
	l.golden("node-list", http.MethodGet, all, "system", nil)
	l.golden("node-show", http.MethodGet, node, "system", nil)
	l.golden("node-events", http.MethodGet, node+"/events", "system", fields{"event_type": "status", "limit": 1})
	l.wantEvents(node+"/events", "system")
	l.golden("node-processmetrics", http.MethodGet, node+"/processmetrics", "system", nil)
	for _, path := range []string{"/nodes/nowhere", "/nodes/nowhere/events", "/nodes/nowhere/processmetrics"} {
		l.refuse(404, "node not found", http.MethodGet, path, "system", nil)
	}
	l.refuse(404, "node not found", http.MethodDelete, "/nodes/nowhere", "system", nil)
	l.refuse(409, "node node-1 is alive: stop its daemon first", http.MethodDelete, node, "system", nil)
	l.cameAndWent("node-2")
	l.golden("node-delete", http.MethodDelete, "/nodes/node-2", "system", nil)
	l.golden("node-delete", http.MethodDelete, "/nodes/node-2", "system", nil) // again
	l.golden("node-list-deleted", http.MethodGet, all, "system", nil)
}

func (l *lab) adminRows() {
	l.t.Helper()
	l.golden("admin-locks", http.MethodGet, "/admin/locks", "system", nil)
	l.golden("admin-resources", http.MethodGet, "/admin/resources", "system", nil)
	l.golden("admin-cacert", http.MethodGet, "/admin/cacert", "demo", nil)
}

// plainRows are those that need no token.
func (l *lab) plainRows() {
	l.t.Helper()
	l.golden("root", http.MethodGet, "/", "", nil)
	l.golden("healthz", http.MethodGet, "/healthz", "", nil)
	l.golden("readyz", http.MethodGet, "/readyz", "", nil)
	l.state.FailNext("Get", fault.New("test", fault.Unavailable, "", "the state store does not answer"))
	l.refuse(503, "not ready: the state store does not answer", http.MethodGet, "/readyz", "", nil)
	l.goldenPart("metrics", http.MethodGet, "/metrics", "", nil, familiesOf)
	l.goldenPart("openapi", http.MethodGet, "/openapi.json", "", nil, operationsOf)
	l.golden("apidocs", http.MethodGet, "/apidocs", "", nil)
}

// familiesOf are the lines of a page of metrics that say what its own figures are.
func familiesOf(page []byte) []byte {
	var kept []byte
	for line := range bytes.Lines(page) {
		if bytes.HasPrefix(line, []byte("# TYPE shakenfist_")) {
			kept = append(kept, line...)
		}
	}
	return kept
}

// operationsOf is the list of what an OpenAPI document describes.
func operationsOf(document []byte) []byte {
	var d struct {
		OpenAPI string
		Paths   map[string]map[string]struct{ Summary string }
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return []byte(err.Error())
	}
	var b bytes.Buffer
	b.WriteString("OpenAPI " + d.OpenAPI + "\n")
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			b.WriteString(strings.ToUpper(method) + " " + path + ": " + d.Paths[path][method].Summary + "\n")
		}
	}
	return b.Bytes()
}

// wantEvents checks the shape of events, their order, and the arguments of their routes.
func (l *lab) wantEvents(path, as string) {
	l.t.Helper()
	list := get[[]api.Event](l, http.MethodGet, path, as, fields{"limit": "-1"})
	if len(list) == 0 {
		l.t.Errorf("%s: nothing", path)
	}
	for n, e := range list {
		if e.FQDN != "node-1" || e.Timestamp.After(list[max(n-1, 0)].Timestamp.Time) {
			l.t.Errorf("%s: %v is not of this node or not in order", path, e)
		}
	}
	if one := get[[]api.Event](l, http.MethodGet, path+"?limit=1", as, nil); len(one) != 1 {
		l.t.Errorf("%s: %d events with limit 1", path, len(one))
	}
	for _, e := range get[[]api.Event](l, http.MethodGet, path, as, fields{"event_type": "status"}) {
		if e.Type != "status" {
			l.t.Errorf("%s: %s is not of type status", path, e.Type)
		}
	}
	l.refuse(400, "event_type", http.MethodGet, path, as, fields{"event_type": "rumour"})
}
