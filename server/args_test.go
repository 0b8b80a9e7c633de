package server

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
)

// everyKind has an argument of each kind.
var everyKind = []arg{
	{name: "text", kind: argText},
	{name: "empty", kind: argText, empty: true},
	{name: "flag", kind: argBool},
	{name: "count", kind: argInt},
	{name: "list", kind: argList},
	{name: "object", kind: argObject},
	{name: "any", kind: argAny},
	{name: "old", kind: argIgnored},
}

func decodeRequest(body, query string, known []arg) (args, error) {
	r := httptest.NewRequest(http.MethodGet, "/?"+query, strings.NewReader(body))
	return readArguments(httptest.NewRecorder(), r, known)
}

func TestArgumentsAreReadWithTolerance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, query string
		want              args
	}{
		{"an empty body is no arguments", ``, "", args{}},
		{"a body that is no JSON is no arguments", `name=web1`, "", args{}},
		{"a cut off body is no arguments", `{"text": "a"`, "", args{}},
		{"two bodies are no arguments", `{"text": "a"} {}`, "", args{}},
		{"null is no argument", `{"text": null, "flag": null, "count": null, "list": null, "any": null}`, "", args{}},
		{"an empty string is a string", `{"text": ""}`, "", args{"text": ""}},
		{"an empty string is no argument where that is said", `{"empty": ""}`, "", args{}},
		{"what older clients send means nothing", `{"old": {"x": 1}}`, "", args{}},
		{"true is true", `{"flag": true}`, "", args{"flag": true}},
		{"a word is true", `{"flag": "false"}`, "", args{"flag": true}},
		{"an empty word is false", `{"flag": ""}`, "", args{"flag": false}},
		{"zero is false", `{"flag": 0}`, "", args{"flag": false}},
		{"an empty list is false", `{"flag": []}`, "", args{"flag": false}},
		{"a number is a number", `{"count": -7}`, "", args{"count": -7}},
		{"decimal text is a number", `{"count": "20"}`, "", args{"count": 20}},
		{"a whole float is a number", `{"count": 2.0e1}`, "", args{"count": 20}},
		{"the query counts too", ``, "text=a&flag=1&count=5", args{"text": "a", "flag": true, "count": 5}},
		{"false in the query is false", ``, "flag=false", args{"flag": false}},
		{"the body wins over the query", `{"text": "body"}`, "text=query", args{"text": "body"}},
		{"lists in the query are JSON", ``, "list=[]", args{"list": []any{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeRequest(c.body, c.query, everyKind)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v (%v), want %#v", got, err, c.want)
			}
		})
	}
}

func TestBadArgumentsAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{"a list is no object", `[]`, "not an object"},
		{"a string is no object", `"a"`, "not an object"},
		{"null is no object", `null`, "not an object"},
		{"an unknown argument", `{"nom": "web1"}`, `"nom"`},
		{"a number for a string", `{"text": 1}`, "text is not a string"},
		{"a word for a number", `{"count": "many"}`, "count is not an integer"},
		{"a fraction for a whole number", `{"count": 1.5}`, "count is not an integer"},
		{"a fraction as text", `{"count": "2.0"}`, "count is not an integer"},
		{"a number beyond all bounds", `{"count": 1e300}`, "count is not an integer"},
		{"a number that is not exact everywhere", `{"count": 9007199254740993}`, "count is not an integer"},
		{"true for a whole number", `{"count": true}`, "count is not an integer"},
		{"an object for a list", `{"list": {}}`, "list is not a list"},
		{"a list for an object", `{"object": []}`, "object is not an object"},
		{"a deep body", strings.Repeat(`{"object":`, 65) + "1" + strings.Repeat("}", 65), "64 deep"},
		{"a large body", `{"text": "` + strings.Repeat("a", maxBody) + `"}`, "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeRequest(c.body, "", everyKind)
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Text(err), c.want) {
				t.Errorf("got %v, want it to say %s", err, c.want)
			}
		})
	}
}

func TestBadQueriesAreNamed(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"count=x": "count is not an integer", "count=": "count is not an integer", "list=1": "list is not a list", "nom=1": `"nom"`,
		"text=%ff": "text is not valid UTF-8", "any=%ff": "any is not valid UTF-8", "text=%zz": `"%zz"`, "text=a;b": "semicolon",
		"list=" + strings.Repeat("[", 65) + strings.Repeat("]", 65): "list is not a list",
	} {
		if _, err := decodeRequest("", query, everyKind); fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Text(err), want) {
			t.Errorf("%.80s: got %v, want it to say %s", query, err, want)
		}
	}
}

func TestBracketsInStringsAreNotDepth(t *testing.T) {
	t.Parallel()
	got, err := decodeRequest(`{"text": "\\\"`+strings.Repeat("[", 100)+`"}`, "", everyKind)
	if err != nil || got.text("text") != `\"`+strings.Repeat("[", 100) {
		t.Errorf("got %v (%v)", got, err)
	}
}

func TestMissingArgumentsAreNamed(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"key": null}`, `{"key": ""}`} {
		if _, err := decodeRequest(body, "", secretArgs); fault.Text(err) != "no key specified" {
			t.Errorf("%s: got %v", body, err)
		}
	}
	if _, err := decodeRequest(`{}`, "", createNetworkArgs); fault.Text(err) != "missing netblock in request" {
		t.Errorf("got %v", err)
	}
}
