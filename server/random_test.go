package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// explorer makes requests out of the OpenAPI document alone, and out of what earlier answers named.
type explorer struct {
	*lab
	*promises
	random     *rand.Rand
	operations []operationIn
	known      map[string][]string // by the first part of a path: UUIDs and names seen in its answers
	counts     map[int]int         // answers by status
	idle       []string            // operations that were never answered with 200
	slowest    time.Duration
}

// operationIn is one operation of the document.
type operationIn struct {
	method, path string
	is           map[string]any
}

func (o operationIn) name() string { return o.method + " " + o.path }

// patient is how long an answer may take.
const patient = 5 * time.Second

func newExplorer(t *testing.T, seed uint64) *explorer {
	t.Helper()
	l := newLab(t)
	p, err := newPromises(l.send(http.MethodGet, "/openapi.json", "", nil).body)
	require.NoError(t, err)
	x := &explorer{
		lab: l, promises: p, random: rand.New(rand.NewPCG(seed, 1)), counts: map[int]int{},
		known: map[string][]string{"instances": {"web1"}, "networks": {"lan"}, "namespaces": {"demo", "other", "system"}, "nodes": {"node-1"}},
	}
	for path := range dig(p.document, "paths") {
		for method, op := range dig(p.document, "paths", path) {
			x.operations = append(x.operations, operationIn{strings.ToUpper(method), path, dig(op)})
		}
	}
	for _, op := range x.operations {
		x.idle = append(x.idle, op.name())
	}
	slices.SortFunc(x.operations, func(a, b operationIn) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return x
}

// chance is true once in n times.
func (x *explorer) chance(n int) bool { return x.random.IntN(n) == 0 }

func pick[T any](x *explorer, from []T) T { return from[x.random.IntN(len(from))] }

// one makes a request and checks its answer.
func (x *explorer) one() {
	x.t.Helper()
	op := pick(x, x.operations)
	if op.method == http.MethodDelete {
		op = pick(x, x.operations) // or nothing would last
	}
	path, query, body := x.fill(op)
	if query != "" {
		path += "?" + query
	}
	as := pick(x, []string{"system", "demo", "demo", "other"})
	start := time.Now()
	a := x.send(op.method, path, as, body)
	took := time.Since(start)
	x.slowest = max(x.slowest, took)
	x.counts[a.status]++
	request := fmt.Sprintf("%s %.300s as %s with %.500s", op.method, path, as, body)
	guessed := a.status == http.StatusServiceUnavailable && op.path == "/auth" // too many wrong keys
	switch err := x.check(op.method, path, a); {
	case a.status == http.StatusInternalServerError, a.status == http.StatusServiceUnavailable && !guessed:
		x.t.Errorf("%s: %d %s", request, a.status, a.body)
	case took > patient:
		x.t.Errorf("%s: took %s", request, took)
	case err != nil:
		x.t.Errorf("%s: %v", request, err)
	}
	if a.status == http.StatusOK {
		x.idle = slices.DeleteFunc(x.idle, func(name string) bool { return name == op.name() })
	}
	x.learn(op.path, a)
	if a.status == http.StatusUnauthorized {
		x.letIn(as)
	}
}

// letIn gives a namespace its key back, should a request have taken it away.
func (x *explorer) letIn(as string) {
	x.t.Helper()
	ctx := x.t.Context()
	if _, err := x.cloud.Namespaces.Get(ctx, as); err != nil {
		_, err = x.cloud.Namespaces.Create(ctx, as, "deploy", as)
		require.NoError(x.t, err)
	}
	require.NoError(x.t, x.cloud.Namespaces.SetKey(ctx, as, "deploy", as, false))
	x.lab.mu.Lock()
	delete(x.tokens, as)
	x.lab.mu.Unlock()
	x.token(as) // while the key is there
}

// fill makes the parts of a request; most of them are as the document wants them.
func (x *explorer) fill(op operationIn) (path, query, body string) {
	path = op.path
	values := url.Values{}
	parameters, _ := op.is["parameters"].([]any)
	for _, v := range parameters {
		p := dig(v)
		name, _ := p["name"].(string)
		switch {
		case p["in"] == "path":
			path = strings.Replace(path, "{"+name+"}", url.PathEscape(x.segment(op.path, name)), 1)
		case p["required"] == true || x.chance(3):
			values.Set(name, text(x.value(name, dig(p["schema"]))))
		}
	}
	if x.chance(10) {
		values.Set(pick(x, []string{"namespace", "all", "nom", "limit", "dry_run"}), pick(x, odd()[:30]))
	}
	if x.chance(20) {
		path = pick(x, []string{"/api", "//", "/api/"}) + path + pick(x, []string{"", "/"})
	}
	if schema := dig(op.is, "requestBody", "content", "application/json", "schema"); schema != nil {
		body = x.body(schema)
	} else if x.chance(10) {
		body = pick(x, odd())
	}
	query = values.Encode()
	if len(query) > 8000 {
		query = ""
	}
	return path, query, body
}

// segment is a parameter of a path: something that was seen there, mostly.
func (x *explorer) segment(path, name string) string {
	kind := kindOf(path)
	switch name {
	case "namespace", "external":
		kind = "namespaces"
	case "key":
		return pick(x, []string{"deploy", "second", "tags", "affinity", "a b", "ä/ö", "none"})
	}
	if x.chance(12) {
		return pick(x, []string{"nobody", nothing, "..", "../x", "a/b", "\x00", "\xff", strings.Repeat("n", 3000), "%2e", strings.ToUpper(nothing)})
	}
	if seen := x.known[kind]; len(seen) > 0 {
		return pick(x, seen[max(0, len(seen)-5):])
	}
	return "nobody"
}

func kindOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/auth"), "/"), "/")
	return first
}

// body is an object after a schema, often with something wrong in it.
func (x *explorer) body(schema map[string]any) string {
	object := x.object(schema)
	names := slices.Sorted(maps.Keys(object))
	switch {
	case x.chance(5) && len(names) > 0:
		object[pick(x, names)] = json.RawMessage(pick(x, odd()))
	case x.chance(12) && len(names) > 0:
		delete(object, pick(x, names))
	case x.chance(20):
		object["colour"] = "red"
	}
	encoded, err := json.Marshal(object)
	require.NoError(x.t, err)
	switch {
	case x.chance(40):
		return string(encoded[:len(encoded)/2])
	case x.chance(40):
		return pick(x, odd())
	}
	return string(encoded)
}

func (x *explorer) object(schema map[string]any) map[string]any {
	object := map[string]any{}
	required, _ := schema["required"].([]any)
	properties := dig(schema["properties"])
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(required, any(name)) || x.chance(3) {
			object[name] = x.value(name, dig(properties[name]))
		}
	}
	return object
}

// value is one that the schema allows; where the document can't know what is there, it is something that was seen.
func (x *explorer) value(name string, schema map[string]any) any {
	switch name {
	case "namespace", "external_namespace":
		return pick(x, append(slices.Clone(x.known["namespaces"]), "new"+strconv.Itoa(x.random.IntN(20))))
	case "network_uuid":
		return x.segment("/networks/", "ref")
	case "node", "placed_on":
		return pick(x, []string{"node-1", "node-1", "node-2"})
	case "base", "url":
		return x.images + pick(x, []string{"/a", "/b", "/image.qcow2"})
	case "netblock":
		return fmt.Sprintf("10.%d.0.0/%d", x.random.IntN(256), 16+x.random.IntN(14))
	case "event_type":
		return pick(x, []string{"audit", "status", "usage", "rumour"})
	case "key":
		return pick(x, []string{"demo", "other", "system", "tags", "note"}) // secrets of namespaces, or names of notes
	case "confirm":
		return x.chance(2)
	case "memory", "cpus", "size", "limit", "offset", "length":
		if x.chance(10) {
			return 1 << 29 // more than there is
		}
		return x.random.IntN(64) - 2
	case "disk entry":
		return map[string]any{"size": 1 + x.random.IntN(3), "bus": pick(x, []any{nil, "virtio", "sata"})}
	case "nvram_template":
		return nil // not yet
	case "user_data":
		return "I2Nsb3VkLWNvbmZpZw=="
	}
	if examples, _ := schema["examples"].([]any); len(examples) > 0 && x.chance(2) && name != "disk" {
		return examples[0]
	}
	return x.byType(name, schema)
}

func (x *explorer) byType(name string, schema map[string]any) any {
	if values, ok := schema["enum"].([]any); ok {
		return pick(x, values)
	}
	types, _ := schema["type"].([]any)
	if one, ok := schema["type"].(string); ok {
		types = []any{one}
	}
	if len(types) == 0 {
		return json.RawMessage(pick(x, odd()))
	}
	switch pick(x, types) {
	case "boolean":
		return x.chance(2)
	case "integer":
		return x.random.IntN(200) - 10
	case "array":
		list := []any{}
		for range x.random.IntN(3) {
			list = append(list, x.value(name+" entry", dig(schema["items"])))
		}
		return list
	case "object":
		return x.object(schema)
	case "null":
		return nil
	}
	return pick(x, []string{"web1", "lan", "second", "virtio", "none", "vnc", "", "sf-agent", "10.0.0.9", "02:00:00:00:00:01", "x" + strconv.Itoa(x.random.IntN(9))})
}

// text is how a value stands in a query.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v) //nolint:errchkjson // came out of a generator of JSON
	return string(b)
}

// learn remembers what an answer names.
func (x *explorer) learn(path string, a answer) {
	var v any
	if a.status != http.StatusOK || json.Unmarshal(a.body, &v) != nil {
		return
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	kind := kindOf(path)
	for _, entry := range list {
		for _, name := range []string{"uuid", "name", "blob_uuid"} {
			id, _ := dig(entry)[name].(string)
			to := kind
			if name == "blob_uuid" {
				to = "blobs"
			} else if strings.HasSuffix(path, "/interfaces") {
				to = "interfaces"
			}
			if id != "" { // what was seen last is last
				x.known[to] = append(slices.DeleteFunc(x.known[to], func(k string) bool { return k == id }), id)
			}
		}
	}
}

// explore makes many random requests. What they were is told by the seed, which SF_SEED sets.
func explore(t *testing.T, requests int) *explorer {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SF_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("SF_SEED=%d", seed)
	x := newExplorer(t, seed)
	x.makeNetwork("demo", "lan")
	x.makeInstance("demo", map[string]any{"network_uuid": "lan"})
	for range requests {
		x.one()
	}
	require.NotContains(t, x.log.String(), "panic")
	return x
}

// told lists how many answers had which status.
func (x *explorer) told() string {
	var all []string
	for _, status := range slices.Sorted(maps.Keys(x.counts)) {
		all = append(all, fmt.Sprintf("%d %d times", status, x.counts[status]))
	}
	return strings.Join(all, ", ")
}

func TestRandomRequestsGetWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	x := explore(t, 500)
	t.Logf("%s; slowest %s", x.told(), x.slowest.Round(time.Millisecond))
	require.Greater(t, x.counts[http.StatusOK], 50, "hardly anything was right")
}
