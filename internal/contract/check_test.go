package contract

import (
	"strings"
	"testing"
)

func TestBodiesAreHeldToTheirShape(t *testing.T) {
	t.Parallel()
	const event = `{"type":"audit","timestamp":1.5,"fqdn":"n","duration":null,"message":"m","extra":{"n":1}}`
	for _, c := range []struct{ body, want, words string }{
		{`null`, "null", ""},
		{"null\n", "network or null", ""},
		{`"key"`, "string", ""},
		{`[` + event + `,` + event + `]`, "[event]", ""},
		{`{"a":{"node":"n","pid":1,"operation":"o"}}`, "{lock}", ""},
		{`{}`, "{float}", ""},
		{`whatever`, "media text/html", ""},
		{`{"n":123456789012345678901234567890}`, "object", ""},

		{``, "null", "no JSON"},
		{`null null`, "null", "more than one"},
		{`1`, "string", "want string"},
		{`[1]`, "object", "want object"},
		{`{}`, "[event]", "want a list"},
		{`[]`, "{lock}", "want an object"},
		{`{"a":1}`, "{float}", "a is 1, want a number of the form float"},
		{`{"total":{"cpu_available":1.0,"ram_available":2},"per_node":{}}`, "resources", "total.cpu_available is 1.0"},
		{`{"n":1e21}`, "object", "exponent"},
		{strings.Replace(event, `"fqdn":"n",`, ``, 1), "event", `no key "fqdn"`},
		{strings.Replace(event, `{"type"`, `{"colour":"red","type"`, 1), "event", `a key "colour"`},
		{strings.Replace(event, `1.5`, `1`, 1), "event", "timestamp is 1"},
		{strings.Replace(event, `"n":1`, `"n":[1e2]`, 1), "event", "extra.n[0] is 1e2"},
		{`{"name":"a","state":"created","keys":["k"],"trust":{"full":[1]},"metadata":{},"version":4}`, "namespace", "trust.full[0]"},
		{`{"name":"a","state":"created","keys":[],"trust":{"full":[]},"metadata":{},"version":4}`, "namespace", "version 4, want 5"},
	} {
		err := Check([]byte(c.body), c.want)
		if (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s as %s: got %v, want %q", c.body, c.want, err, c.words)
		}
	}
}

// TestShapesNameEachOther finds a type that no shape explains.
func TestShapesNameEachOther(t *testing.T) {
	t.Parallel()
	scalars := "string int float bool object any"
	for name, keys := range shapes() {
		for key := range strings.SplitSeq(keys, ",") {
			_, of, found := strings.Cut(strings.TrimSpace(key), ":")
			of = strings.Trim(of, "?~[]{}")
			if _, known := shapes()[of]; !found || !known && !strings.Contains(scalars, of) {
				t.Errorf("%s has %q", name, key)
			}
		}
	}
}
