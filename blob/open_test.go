package blob_test

import (
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
)

func TestContentIsReadToItsEndThoughTheBlobEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		want := image(2)
		id := k.kept(want)
		f, err := k.Open(k.ctx, id)
		require.NoError(t, err)
		defer f.Close() //nolint:errcheck // only read
		k.drop(id)
		synctest.Wait()
		require.Empty(t, k.files())
		got, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = k.Open(k.ctx, id)
		require.ErrorIs(t, err, fault.NotFound)
		require.Equal(t, "blob not found", fault.Text(err))
	})
}

func TestContentThatIsNotHereIsNotOpened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		_, err := k.Open(k.ctx, uuid.NewString())
		require.ErrorIs(t, err, fault.NotFound)
		id := k.kept(image(2))
		require.NoError(t, os.Remove(k.Path(id)))
		for range 2 { // before and after the loop has noticed
			_, err = k.Open(k.ctx, id)
			require.ErrorIs(t, err, fault.NotFound)
			require.Contains(t, fault.Text(err), "blob missing")
			time.Sleep(2 * resync)
		}
	})
}
