package blob_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

func TestContentIsNotOnADeletedNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		id := k.kept(image(2))
		there := view.Txn{Name: "copy"}
		there.Do(store.Put("o/location/"+id+"/node-9", []byte(`{"schema":1,"record":{}}`)))
		_, err := k.view.Commit(k.ctx, there)
		require.NoError(t, err)
		locations := func() []string {
			b, err := k.Get(k.ctx, id)
			require.NoError(t, err)
			return b.Locations
		}
		require.Equal(t, []string{"node-1", "node-9"}, locations())

		back := store.Absent("o/blob/" + id) // a check that fails, as that of a node does which is back
		require.ErrorIs(t, k.NodeDeleted(k.ctx, "node-9", back), fault.Unavailable)
		require.Equal(t, []string{"node-1", "node-9"}, locations())

		gone := store.Absent("o/node/node-9")
		for range 2 {
			require.NoError(t, k.NodeDeleted(k.ctx, "node-9", gone))
			require.Equal(t, []string{"node-1"}, locations())
		}
		synctest.Wait()
		events, err := k.store.List(k.ctx, "e/blob/"+id, "", 0)
		require.NoError(t, err)
		lost := 0
		for _, e := range events.Entries {
			lost += bytes.Count(e.Value, []byte("content lost on node node-9"))
		}
		require.Equal(t, 1, lost, "it is told once")
	})
}
