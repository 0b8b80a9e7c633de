package blob_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

func TestContentIsNotReplacedWhileTheViewIsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		id := k.kept(image(2))
		copied := filepath.Join(k.Dir, "copy") // where the sweep of the first manager, which knows nothing of this, does not look
		require.NoError(t, os.WriteFile(copied, image(3), 0o600))

		behind := view.New(k.store, slog.New(slog.DiscardHandler))
		m := blob.New(blob.Deps{View: behind, Events: event.NewRecorder(k.store, "node-1"), Driver: k.hv, Dir: k.Dir, Node: "node-1"})
		var both sync.WaitGroup
		both.Go(func() {
			_, err := m.IngestFile(k.ctx, copied, blob.Content{ID: id, Size: -1})
			require.ErrorIs(t, err, fault.Conflict)
		})
		both.Go(func() {
			c := content(image(3))
			c.ID = id
			_, err := m.Ingest(k.ctx, c)
			require.ErrorIs(t, err, fault.Conflict)
		})
		synctest.Wait()
		both.Go(func() { behind.Run(k.ctx) })
		synctest.Wait()
		kept, err := os.ReadFile(k.Path(id))
		require.NoError(t, err)
		require.Equal(t, image(2), kept)
		k.stop()
		both.Wait()
	})
}
