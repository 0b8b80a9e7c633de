package api_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/api"
)

func TestTimeKeepsMicrosecondsAndHasNoExponent(t *testing.T) {
	t.Parallel()
	for text, moment := range map[string]time.Time{
		"0.0":               {},
		"1685229509.0":      time.Unix(1685229509, 0),
		"1685229509.9":      time.Unix(1685229509, 900_000_000),
		"1685229509.000001": time.Unix(1685229509, 1_999),
		"-1.5":              time.Unix(-2, 500_000_000),
		"253402300799.0":    time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		b, err := json.Marshal(api.At(moment))
		if err != nil || string(b) != text {
			t.Errorf("%v is %s (%v), want %s", moment, b, err, text)
		}
		var back api.Time
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(moment.Truncate(time.Microsecond)) {
			t.Errorf("%s is %v (%v), want %v", text, back, err, moment)
		}
	}
}

func TestTimeIsReadFromAnyNumberAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1685229509", "1.685229509e9", "1685229509.0"} {
		var got api.Time
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Unix() != 1685229509 {
			t.Errorf("%s is %v (%v)", text, got, err)
		}
	}
	for _, text := range []string{`"now"`, "1e300", "true", "{}"} {
		if err := json.Unmarshal([]byte(text), new(api.Time)); err == nil {
			t.Errorf("%s was taken for a time", text)
		}
	}
}

func TestFloatHasADecimalAndNoExponent(t *testing.T) {
	t.Parallel()
	for value, text := range map[float64]string{0: "0.0", 2: "2.0", 1.1: "1.1", 1e21: "1000000000000000000000.0", 1e-7: "0.0000001"} {
		if b, err := json.Marshal(api.Float(value)); err != nil || string(b) != text {
			t.Errorf("%v is %s (%v), want %s", value, b, err, text)
		}
	}
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := json.Marshal(api.Float(value)); err == nil {
			t.Errorf("%v was encoded", value)
		}
	}
}

func TestObjectKeepsEveryDigit(t *testing.T) {
	t.Parallel()
	const text = `{"a":{"ns":9007199254740993},"b":[1.50]}`
	var o api.Object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(o); err != nil || string(b) != text {
		t.Errorf("got %s (%v), want %s", b, err, text)
	}
	if err := json.Unmarshal([]byte(`[]`), &o); err == nil {
		t.Error("a list was taken for an object")
	}
}

func TestBodiesSurviveTheWayThereAndBack(t *testing.T) {
	t.Parallel()
	for name, body := range bodies() {
		first, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(reflect.TypeOf(body))
		if err := json.Unmarshal(first, back.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		second, err := json.Marshal(back.Interface())
		if err != nil {
			t.Fatal(err)
		}
		// disk_base is null when it is there, and null reads as absent.
		if string(first) != string(second) && name != "instance" {
			t.Errorf("%s:\nfirst  %s\nsecond %s", name, first, second)
		}
	}
}

func TestPathEscapesParametersAsOneSegment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want, pattern string
		args          []string
	}{
		{"/instances", api.PathInstances, nil},
		{"/instances/web1/events", api.PathInstanceEvents, []string{"web1"}},
		{"/artifacts/demo%2Fbase%20image", api.PathArtifact, []string{"demo/base image"}},
		{"/auth/namespaces/%2E%2E/keys/a%3Fb", api.PathNamespaceKey, []string{"..", "a?b"}},
	} {
		if got := api.Path(c.pattern, c.args...); got != c.want {
			t.Errorf("Path(%q, %q) = %q, want %q", c.pattern, c.args, got, c.want)
		}
	}
}

func TestPathWantsExactlyItsParameters(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"a"}, {"a", "b", "c"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Path took %d args for 2 parameters", len(args))
				}
			}()
			api.Path(api.PathNamespaceKey, args...)
		}()
	}
}
