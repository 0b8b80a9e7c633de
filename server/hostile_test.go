package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/store"
)

// odd are values that no argument should choke on. Each is JSON.
func odd() []string {
	return []string{
		`null`, `true`, `false`, `0`, `-1`, `1.5`, `1e400`, `-1e400`, `9223372036854775808`, `123456789012345678901234567890`,
		`""`, `" "`, `"\u0000"`, `"\n"`, `"../../etc/passwd"`, `"a/b"`, `"\ud800"`, "\"\u202eabc\"", `"%s%d%n"`, `"<script>"`, `"'; drop table"`,
		`"` + strings.Repeat("x", 70000) + `"`, `"http://[::1"`, `"file:///etc/passwd"`, `"http://a b/"`, `"NaN"`, `"1e9"`,
		`[]`, `[null]`, `[[]]`, `[{}]`, `[1,"a",null,{}]`, `{}`, `{"":1}`, `{"a":null}`, `{"size":1e400}`, `{"tags":[1e400]}`, `{"n":1e400}`,
		`{"affinity":{"a":1e400}}`, `{"affinity":{"a":"99999999999999999999"}}`, `{"` + strings.Repeat("k", 70000) + `":1}`,
		`[{"size":1e400}]`, `[{"size":-1}]`, `[{"size":1,"base":"\u0000"}]`, `[{"size":1,"base":{}}]`, `[{"network_uuid":[]}]`,
		`[{"network_uuid":"` + nothing + `"}]`, strings.Repeat("[", 60) + strings.Repeat("]", 60), `{"model":"vga","memory":1e400}`,
		`{"model":[],"memory":{}}`, "[" + strings.Repeat(`{"size":1},`, 40) + `{"size":1}]`, "[" + strings.Repeat(`"c",`, 40) + `"d"]`,
	}
}

// revision is that of the last commit.
func (l *lab) revision() store.Revision {
	l.t.Helper()
	page, err := l.state.List(l.t.Context(), "", "", 1)
	if err != nil {
		l.t.Fatal(err)
	}
	return page.Revision
}

// Whatever is sent, the answer is the caller's fault and not the server's, and what is refused leaves nothing behind.
func TestOddValuesAreRefusedAndLeaveNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	good := map[string]any{ // so that each odd value is the only thing that is wrong
		"/instances": blankInstance(),
		"/networks":  map[string]any{"netblock": "10.0.0.0/24"},
	}
	l.loops.Lock() // what is accepted stays as it is
	defer l.loops.Unlock()
	before := l.revision()
	for _, rt := range (&server{cloud: l.cloud}).routes() {
		path := strings.NewReplacer("{ref}", nothing, "{uuid}", nothing, "{node}", "node-1", "{namespace}", "demo", "{key}", "none").Replace(rt.pattern)
		for _, a := range rt.args {
			for _, value := range odd() {
				body, _ := good[path].(map[string]any)
				if body = maps.Clone(body); body == nil {
					body = completeBody(rt)
				}
				body[a.name] = json.RawMessage(value)
				text, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				got := l.send(rt.method, path, "system", string(text))
				guessed := rt.pattern == api.PathAuth && got.status == http.StatusServiceUnavailable // too many wrong keys
				if got.status >= 500 && got.status != http.StatusInsufficientStorage && !guessed {
					t.Errorf("%s %s with %s = %.80s: %d %s", rt.method, path, a.name, value, got.status, got.body)
				}
				if len(got.body) > 4096 && got.status != http.StatusOK {
					t.Errorf("%s %s with %s = %.80s: the error has %d bytes", rt.method, path, a.name, value, len(got.body))
				}
				after := l.revision()
				if got.status != http.StatusOK && after != before {
					t.Errorf("%s %s with %s = %.80s was refused (%s) and changed something", rt.method, path, a.name, value, got.body)
				}
				before = after
			}
		}
	}
}
