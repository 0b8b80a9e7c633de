package server

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// promises is what an OpenAPI document says that answers look like.
type promises struct {
	document map[string]any
	compiler *jsonschema.Compiler
	paths    *paths // finds the path in the document

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema // guarded by mu; by JSON pointer
}

// newPromises reads a document, and takes the fields that it names for all that there are: clients must put up with more,
// but what we answer with shall be in it.
func newPromises(text []byte) (*promises, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	p := &promises{document: v.(map[string]any), compiler: jsonschema.NewCompiler(), paths: newPaths(), schemas: map[string]*jsonschema.Schema{}} //nolint:errcheck,forcetypeassert // a test
	for _, s := range dig(p.document, "components", "schemas") {
		if schema, ok := s.(map[string]any); ok && schema["properties"] != nil {
			schema["additionalProperties"] = false
		}
	}
	for path := range dig(p.document, "paths") {
		p.paths.Handle(path, http.NotFoundHandler())
	}
	return p, p.compiler.AddResource("document", p.document)
}

// dig returns the object below some keys of a document, nil if there is none.
func dig(v any, keys ...string) map[string]any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	m, _ := v.(map[string]any)
	return m
}

// ours are the promises of this server.
var ours = sync.OnceValues(func() (*promises, error) { // made once, for all tests
	return newPromises(document((&server{}).routes(), "1.2.3"))
})

// check returns what is wrong with an answer; nil too where the document says nothing of it: an unknown path or method, a
// redirect, a defect of the server.
func (p *promises) check(method, path string, a answer) error {
	if method == http.MethodHead {
		return nil
	}
	r, err := http.NewRequest(method, "http://host"+path, nil) // is never sent
	if err != nil {
		return nil //nolint:nilerr // no client can send it
	}
	_, pattern := p.paths.Handler(normalised(r))
	pattern = strings.TrimSuffix(pattern, "{$}")
	op := dig(p.document, "paths", pattern, strings.ToLower(method))
	if op == nil || op["summary"] == "" || slices.Contains([]int{302, 304, 405, 500}, a.status) {
		return nil
	}
	status := strconv.Itoa(a.status)
	kinds := dig(op, "responses", status, "content")
	if kinds == nil {
		return fmt.Errorf("%s %s: status %s is not in the document: %.200s", method, pattern, status, a.body)
	}
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if kinds[kind] == nil {
		return fmt.Errorf("%s %s: Content-Type %q is not in the document", method, pattern, kind)
	}
	if kind != "application/json" {
		return nil
	}
	return p.validate(method, pattern, status, a.body)
}

func (p *promises) validate(method, pattern, status string, body []byte) error {
	escaped := strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D").Replace(pattern)
	s, err := p.schema("document#/paths/" + escaped + "/" + strings.ToLower(method) + "/responses/" + status + "/content/application~1json/schema")
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s %s: %w in %.200s", method, pattern, err, body)
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%s %s: %w in %.500s", method, pattern, err, body)
	}
	return nil
}

func (p *promises) schema(at string) (*jsonschema.Schema, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.schemas[at] == nil {
		s, err := p.compiler.Compile(at)
		if err != nil {
			return nil, err
		}
		p.schemas[at] = s
	}
	return p.schemas[at], nil
}

// keepsPromises checks an answer that a test got.
func (l *lab) keepsPromises(method, path string, a answer) {
	l.t.Helper()
	p, err := ours()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := p.check(method, path, a); err != nil {
		l.t.Error(err)
	}
}

func TestEveryRouteIsInTheDocument(t *testing.T) {
	t.Parallel()
	p, err := ours()
	require.NoError(t, err)
	ids := map[string]bool{}
	for _, rt := range (&server{}).routes() {
		name := rt.method + " " + rt.pattern
		op := dig(p.document, "paths", inDocument(rt.pattern), strings.ToLower(rt.method))
		require.NotNil(t, op, name)
		require.NotEmpty(t, rt.summary, "%s has no summary", name)
		id, _ := op["operationId"].(string)
		require.Regexp(t, `^[a-z]+[A-Z][A-Za-z]+$`, id)
		require.False(t, ids[id], "%s is the name of two operations", id)
		ids[id] = true
		security, _ := op["security"].([]any)
		require.Equal(t, rt.who != nobody, len(security) == 1, "%s: security", name)
		parameters, _ := op["parameters"].([]any)
		for _, x := range parameters {
			require.NotEmpty(t, dig(x)["description"], "%s: a parameter is not described", name)
		}
		inPath := slices.DeleteFunc(slices.Clone(parameters), func(x any) bool { return dig(x)["in"] != "path" })
		require.Len(t, inPath, strings.Count(rt.pattern, "{"), name)
		for _, a := range rt.args {
			require.True(t, a.kind == argIgnored || documents(op, a), "%s: argument %s", name, a.name)
		}
		for status := range dig(op, "responses") {
			if dig(op, "responses", status, "content", "application/json") != nil {
				_, err := p.schema("document#/paths/" + strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D").Replace(inDocument(rt.pattern)) + "/" +
					strings.ToLower(rt.method) + "/responses/" + status + "/content/application~1json/schema")
				require.NoError(t, err, "%s: status %s", name, status)
			}
		}
	}
}

// documents reports whether an operation tells of an argument, and what it means.
func documents(op map[string]any, a arg) bool {
	list, _ := op["parameters"].([]any)
	for _, x := range list {
		if p := dig(x); p["in"] == "query" && p["name"] == a.name {
			return p["description"] == a.doc && p["required"] == a.must
		}
	}
	property := dig(op, "requestBody", "content", "application/json", "schema", "properties", a.name)
	return property != nil && property["description"] == a.doc
}

func TestTheDocumentIsServedToEverybodyOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	first := l.send(http.MethodGet, "/openapi.json", "", nil)
	require.Equal(t, http.StatusOK, first.status)
	require.Equal(t, "application/json", first.header.Get("Content-Type"))
	tag := first.header.Get("ETag")
	require.Regexp(t, `^"[0-9a-f]{32}"$`, tag)
	second := l.send(http.MethodGet, "/api/openapi.json", "", nil, "If-None-Match", `"other", `+tag)
	require.Equal(t, http.StatusNotModified, second.status)
	require.Empty(t, second.body)
	require.Equal(t, tag, second.header.Get("ETag"))
	third := l.send(http.MethodGet, "/openapi.json", "", nil, "If-None-Match", `"other"`)
	require.Equal(t, first.body, third.body)
	served, err := newPromises(first.body)
	require.NoError(t, err)
	require.Equal(t, "3.1.0", served.document["openapi"])
	require.Equal(t, "1.2.3", dig(served.document, "info")["version"])
}

func TestNestedSpecsAreDocumented(t *testing.T) {
	t.Parallel()
	p, err := ours()
	require.NoError(t, err)
	create := dig(p.document, "paths", "/instances", "post", "requestBody", "content", "application/json", "schema")
	for name, field := range map[string]string{"disk": "base", "network": "network_uuid"} {
		require.NotNil(t, dig(create, "properties", name, "items", "properties", field), "%s.%s", name, field)
	}
	require.NotNil(t, dig(create, "properties", "video", "properties", "vdi"))
	require.Equal(t, "string", dig(create, "properties", "side_channels", "items")["type"])
	view := dig(p.document, "components", "schemas", "Instance")
	require.Contains(t, view["required"], "power_state")
	require.NotContains(t, view["required"], "requested_placement")
	require.Equal(t, "MiB", dig(view, "properties", "memory")["description"])
}

// What the document gives as the values of an argument are those that work.
func TestDocumentedValuesWorkAndOthersDoNot(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.makeNetwork("demo", "lan")
	create := func(field string, value any) answer {
		body := blankInstance(map[string]any{"network_uuid": "lan"})
		body["dry_run"], body[field] = true, value
		return l.send(http.MethodPost, "/instances", "demo", body)
	}
	for _, c := range []struct {
		known []arg
		try   func(name, value string) answer
	}{
		{createInstanceArgs, func(name, value string) answer { return create(name, value) }},
		{diskArgs, func(name, value string) answer {
			return create("disk", []any{map[string]any{"size": 1, "base": l.images + "/disk", name: value}})
		}},
		{networkArgs, func(name, value string) answer {
			return create("network", []any{map[string]any{"network_uuid": "lan", name: value}})
		}},
		{videoArgs, func(name, value string) answer {
			video := map[string]any{"model": "vga", "memory": 16384}
			video[name] = value
			return create("video", video)
		}},
		{eventArgs, func(name, value string) answer {
			return l.send(http.MethodGet, "/networks/lan/events", "demo", map[string]any{name: value})
		}},
	} {
		for _, a := range c.known {
			for _, value := range a.among {
				got := c.try(a.name, value)
				require.Equal(t, http.StatusOK, got.status, "%s %s: %s", a.name, value, got.body)
			}
			if a.among != nil {
				l.wantError(c.try(a.name, "rumour"), http.StatusBadRequest, "rumour")
			}
		}
	}
}
