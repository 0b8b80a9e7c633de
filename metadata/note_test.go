package metadata_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/store/memstore"
)

func TestWhatIsNotedIsKeptUnderItsKey(t *testing.T) {
	t.Parallel()
	p := open(t, memstore.New())
	p.make(t)
	odd := "a/b\x00 \n\"ü" + strings.Repeat("k", 3000)
	for key, value := range map[string]any{"k": "v", odd: []any{"x"}, "n": 1.5, "o": values{"x": nil}} {
		require.NoError(t, p.Put(t.Context(), metadata.Instance, "a", key, value))
	}
	require.NoError(t, p.Put(t.Context(), metadata.Instance, "a", "k", true))
	require.Equal(t, values{"k": true, odd: []any{"x"}, "n": 1.5, "o": values{"x": nil}}, p.Of(metadata.Instance, "a"))
	for _, key := range []string{odd, "n", "n", "never", "o", "k"} {
		require.NoError(t, p.Delete(t.Context(), metadata.Instance, "a", key))
	}
	require.Empty(t, p.Of(metadata.Instance, "a"))
	require.NoError(t, p.Delete(t.Context(), metadata.Instance, "a", "k"))

	list, err := p.events.List(t.Context(), event.Object{Kind: "instance", ID: "a"}, event.Audit, -1)
	require.NoError(t, err)
	var said []string
	for _, e := range list {
		said = append(said, e.Message)
		key, _ := e.Extra["key"].(string)
		require.Less(t, len(key), 300)
	}
	require.Equal(t, strings.Fields(strings.Repeat("deleted ", 4)+strings.Repeat("set ", 5)),
		strings.Fields(strings.ReplaceAll(strings.Join(said, " "), " metadata", "")), "what changes nothing is no event")
}

func TestNumbersComeBackAsTheyWereGiven(t *testing.T) {
	t.Parallel()
	p := open(t, memstore.New())
	p.make(t)
	given := `{"big":12345678901234567890,"deep":[{"n":-9007199254740993}],"float":1.5,"whole":7}`
	d := json.NewDecoder(strings.NewReader(given))
	d.UseNumber()
	var numbers values
	require.NoError(t, d.Decode(&numbers))
	for key, value := range numbers {
		require.NoError(t, p.Put(t.Context(), metadata.Instance, "a", key, value))
	}
	got, err := json.Marshal(p.Of(metadata.Instance, "a"))
	require.NoError(t, err)
	require.Equal(t, given, string(got))
	require.InDelta(t, 7.0, p.Of(metadata.Instance, "a")["whole"], 0)
	for _, nothing := range []string{"0", "0.0", "-0", "0e9", "1e400"} {
		require.ErrorIs(t, p.Put(t.Context(), metadata.Instance, "a", "k", json.Number(nothing)), fault.Invalid, nothing)
	}
	require.NoError(t, p.Put(t.Context(), metadata.Instance, "a", "affinity", values{"web": json.Number("-5")}))
	weights, err := metadata.Affinity(p.Of(metadata.Instance, "a"))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"web": -5}, weights)
}

func TestWhatMayNotBeNotedLeavesNothing(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	p := open(t, s)
	p.make(t)
	require.NoError(t, p.Put(t.Context(), metadata.Instance, "a", "half", strings.Repeat("x", metadata.MaxBytes/2)))
	before := keys(t, s, "")
	for name, c := range map[string]struct {
		kind, id, key string
		value         any
		err           fault.Kind
		text          string
	}{
		"no key":               {"instance", "a", "", "v", fault.Invalid, "no key specified"},
		"a key of bytes":       {"instance", "a", "\xff", "v", fault.Invalid, "not UTF-8"},
		"no value":             {"instance", "a", "k", nil, fault.Invalid, `no value specified for metadata key "k"`},
		"an empty list":        {"instance", "a", "k", []any{}, fault.Invalid, "no value specified"},
		"tags that are none":   {"instance", "a", "tags", "web", fault.Invalid, `value for "tags" key should be a JSON list`},
		"weights that are not": {"instance", "a", "affinity", values{"web": "much"}, fault.Invalid, `affinity of tag "web"`},
		"more than fits":       {"instance", "a", "k", strings.Repeat("x", metadata.MaxBytes/2), fault.Invalid, "more than 65536 bytes"},
		"nothing there":        {"instance", "b", "k", "v", fault.NotFound, "thing not found"},
		"an unknown kind":      {"upload", "a", "k", "v", fault.Invalid, `kind "upload" has no metadata: use one of instance, network`},
	} {
		err := p.Put(t.Context(), c.kind, c.id, c.key, c.value)
		require.Equal(t, c.err, fault.KindOf(err), name)
		require.Contains(t, fault.Text(err), c.text, name)
	}
	require.ErrorIs(t, p.Delete(t.Context(), metadata.Instance, "b", "k"), fault.NotFound)
	require.Equal(t, before, keys(t, s, ""))
	require.NoError(t, p.Put(t.Context(), metadata.Network, "a", "tags", "web"), "only instances have tags")
}

func TestWhatIsThereAlreadyHindersNobody(t *testing.T) {
	t.Parallel()
	p := open(t, memstore.New())
	p.make(t)
	require.NoError(t, p.Put(t.Context(), metadata.Network, "a", "k", strings.Repeat("x", metadata.MaxBytes-8)))
	require.ErrorIs(t, p.Put(t.Context(), metadata.Network, "a", "l", "y"), fault.Invalid)
	require.NoError(t, p.Delete(t.Context(), metadata.Network, "a", "k"), "too much can't be made less")
	require.NoError(t, p.Put(t.Context(), metadata.Network, "a", "l", "y"))
}

func TestWritersOfOneObjectLoseNothing(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	processes := []*process{open(t, s), open(t, s)}
	processes[0].make(t)
	require.NoError(t, processes[1].view.Fresh(t.Context()))
	want := values{}
	var writers sync.WaitGroup
	for i := range 16 {
		key := fmt.Sprint("k", i)
		want[key] = "v"
		writers.Go(func() {
			p := processes[i%2]
			if err := p.Put(t.Context(), metadata.Instance, "a", key, "v"); err != nil {
				t.Error(err)
			}
			if i%4 == 0 {
				p.make(t) // the object changes, too
			}
		})
	}
	writers.Wait()
	for _, p := range processes {
		require.NoError(t, p.view.Fresh(t.Context()))
		require.Equal(t, want, p.Of(metadata.Instance, "a"))
	}
}

// Whoever is faster, what is noted on an object goes with it, and never brings it back.
func TestNotesGoWithTheirObject(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	a, b := open(t, s), open(t, s)
	outcomes := map[string]int{}
	for range 200 {
		a.make(t)
		require.NoError(t, b.view.Fresh(t.Context()))
		var noting error
		var racers sync.WaitGroup
		racers.Go(func() { noting = b.Put(t.Context(), metadata.Instance, "a", "k", "v") })
		racers.Go(func() { a.end(t, "a") })
		racers.Wait()
		if noting != nil {
			require.ErrorIs(t, noting, fault.NotFound)
			outcomes["late"]++
		} else {
			outcomes["early"]++
		}
		require.Empty(t, keys(t, s, "o/metadata/"))
		require.Empty(t, keys(t, s, "o/thing/"))
	}
	t.Log(outcomes)
}
