package metadata_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/store/memstore"
)

type values = map[string]any

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   string
		values values
		text   string // "" if it is fine
	}{
		"nothing":                        {"instance", nil, ""},
		"anything":                       {"network", values{"a": "b", "n": 1.5, "t": true, "l": []any{1}, "o": values{"x": nil}}, ""},
		"an empty key":                   {"network", values{"": "b"}, "a metadata key is empty"},
		"no value":                       {"network", values{"k": nil}, `no value specified for metadata key "k"`},
		"an empty text":                  {"network", values{"k": ""}, `metadata key "k"`},
		"false":                          {"network", values{"k": false}, `metadata key "k"`},
		"zero":                           {"network", values{"k": 0.0}, `metadata key "k"`},
		"zero of Go":                     {"network", values{"k": 0}, `metadata key "k"`},
		"an empty list":                  {"network", values{"k": []any{}}, `metadata key "k"`},
		"an empty object":                {"network", values{"k": values{}}, `metadata key "k"`},
		"tags":                           {"instance", values{"tags": []any{"a", "b"}}, ""},
		"tags of Go":                     {"instance", values{"tags": []string{"a", "b"}}, ""},
		"tags that are none":             {"instance", values{"tags": "a"}, `"tags" key should be a JSON list`},
		"tags of a network are anything": {"network", values{"tags": "a"}, ""},
		"affinity":                       {"instance", values{"affinity": values{"a": 10.0, "b": -5, "c": "7"}}, ""},
		"affinity of Go":                 {"instance", values{"affinity": map[string]int{"a": 10}}, ""},
		"affinity that is none":          {"instance", values{"affinity": "a"}, `"affinity" key should be a JSON object`},
		"a broken weight":                {"instance", values{"affinity": values{"a": 1.5}}, `affinity of tag "a" should be a whole number`},
		"a huge weight":                  {"instance", values{"affinity": values{"a": 1e30}}, `affinity of tag "a"`},
		"a weight of words":              {"instance", values{"affinity": values{"a": "much"}}, `affinity of tag "a"`},
		"a weight of another type":       {"instance", values{"affinity": values{"a": []any{1}}}, `affinity of tag "a"`},
		"what is no JSON":                {"network", values{"f": func() {}}, `metadata key "f"`},
		"all that fits":                  {"network", values{"k": strings.Repeat("x", metadata.MaxBytes-8)}, ""},
		"more than fits":                 {"network", values{"k": strings.Repeat("x", metadata.MaxBytes-7)}, "more than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := metadata.Validate(c.kind, c.values)
			if c.text == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, fault.Invalid)
			require.Contains(t, fault.Text(err), c.text)
		})
	}
}

func TestTagsAndAffinity(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a", "7"}, metadata.Tags(values{"tags": []any{"a", 7}}))
	require.Equal(t, []string{"a"}, metadata.Tags(values{"tags": []string{"a"}}))
	require.Empty(t, metadata.Tags(values{"tags": "a"}))
	weights, err := metadata.Affinity(values{"affinity": values{"a": 10.0, "b": -5, "c": "7"}})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"a": 10, "b": -5, "c": 7}, weights)
	weights, err = metadata.Affinity(values{"affinity": map[string]int{"a": 10}})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"a": 10}, weights)
	weights, err = metadata.Affinity(nil)
	require.NoError(t, err)
	require.Empty(t, weights)
}

func TestMetadataLivesBesideItsObject(t *testing.T) {
	t.Parallel()
	p := open(t, memstore.New())
	v, m, ctx := p.view, p.Manager, t.Context()

	commit := func(f func(*view.Txn)) {
		tx := view.Txn{Name: "test"}
		if f(&tx); len(tx.Ops) > 0 {
			_, err := v.Commit(ctx, tx)
			require.NoError(t, err)
		}
	}
	set := func(kind, id string, values values) {
		commit(func(tx *view.Txn) { require.NoError(t, m.Set(tx, kind, id, values)) })
	}
	require.NotNil(t, m.Of("instance", "a"))
	require.Empty(t, m.Of("instance", "a"))
	set("instance", "a", values{"k": "v", "tags": []string{"x"}})
	set("network", "a", values{"k": "w"})
	require.Equal(t, values{"k": "v", "tags": []any{"x"}}, m.Of("instance", "a"))
	require.Equal(t, values{"k": "w"}, m.Of("network", "a"))
	set("instance", "a", nil)
	require.Empty(t, m.Of("instance", "a"), "the last key can't be taken away")
	commit(func(tx *view.Txn) { m.Forget(tx, "network", "a") })
	require.Empty(t, m.Of("network", "a"))

	require.ErrorIs(t, m.Set(&view.Txn{}, "network", "a", values{"k": nil}), fault.Invalid)
	tx := view.Txn{}
	require.NoError(t, m.Set(&tx, "network", "new", nil))
	require.Empty(t, tx.Ops, "nothing to note costs nothing")
}
