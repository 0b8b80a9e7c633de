package view_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

func TestTryFailsAsACommitWouldAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	p := newProcess(s).run(t)
	r := p.put(t, "a", "red")
	for name, c := range map[string]struct {
		check store.Check
		kind  fault.Kind // "" if it holds
	}{
		"changed since":           {store.At("o/thing/a", r+1), fault.Conflict},
		"gone":                    {store.At("o/thing/b", r), fault.Conflict},
		"not there":               {store.Absent("o/thing/b"), ""},
		"there":                   {store.Absent("o/thing/a"), fault.Conflict},
		"nothing below":           {store.Empty("o/thing/b"), ""},
		"something below":         {store.Empty("o/thing/"), fault.Conflict},
		"a check of no known key": {store.Absent(""), fault.Invalid},
	} {
		tx := view.Txn{Name: "paint"}
		tx.Check(c.check)
		tx.Do(p.things.Put("a", thing{"blue"}))
		tried := p.Try(t.Context(), tx)
		row, _ := p.things.Get("a")
		require.Equal(t, "red", row.Value.Color, name)
		_, committed := p.Commit(t.Context(), tx)
		if c.kind == "" {
			require.NoError(t, tried, name)
			require.NoError(t, committed, name)
			p.put(t, "a", "red")
			continue
		}
		require.ErrorIs(t, tried, c.kind, name)
		require.ErrorIs(t, committed, c.kind, name)
		require.Equal(t, store.FailedChecks(committed), store.FailedChecks(tried), name)
	}
	r = p.put(t, "a", "red")
	tx := view.Txn{Name: "paint"}
	tx.Check(store.At("o/thing/a", r))
	tx.Do(p.things.Put("a", thing{"blue"}))
	require.NoError(t, p.Try(t.Context(), tx))
	s.FailNext("Get", fault.New("test", fault.Unavailable, "", "away"))
	require.ErrorIs(t, p.Try(t.Context(), tx), fault.Unavailable)
}
