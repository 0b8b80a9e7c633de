package blob_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// rarely has a process look at everything so seldom that days pass quickly.
func rarely(d *blob.Deps) { d.Resync = seldom }

const seldom = 10 * time.Minute

func TestAnImageIsMadeWhenAnInstanceAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		id := k.keptFor(content(image(2)), version(1))
		k.commit(func(tx *view.Txn) error {
			return k.AddRef(tx, id, blob.Owner{Kind: blob.Instance, ID: "elsewhere", Node: "node-2"})
		})
		k.commit(func(tx *view.Txn) error {
			return k.AddRef(tx, id, blob.Owner{Kind: blob.NVRAM, ID: "i", Node: "node-1"})
		})
		time.Sleep(2 * seldom)
		path, ok := k.cache(id)
		require.False(t, ok)
		require.NoFileExists(t, path)
		k.use(id, "i")
		synctest.Wait()
		_, ok = k.cache(id)
		require.True(t, ok)
		require.Contains(t, k.heard(), id)
	})
}

func TestAnImageGoesWhenNobodyUsedItForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		id := k.kept(image(2)) // fetched, ahead of instances
		synctest.Wait()
		path, ok := k.cache(id)
		require.True(t, ok)
		time.Sleep(blob.DefaultCacheIdle - 2*seldom)
		require.FileExists(t, path)

		k.use(id, "i")
		began := time.Now()
		time.Sleep(3 * blob.DefaultCacheIdle)
		require.FileExists(t, path, "an instance uses it, whether it runs or not")
		require.WithinDuration(t, began, k.get(id).LastUsed, 0)
		k.leave(id)
		ended := time.Now()
		k = k.again(rarely)
		time.Sleep(blob.DefaultCacheIdle - 2*seldom)
		require.FileExists(t, path)
		require.WithinDuration(t, ended, k.get(id).LastUsed, 0)
		time.Sleep(3 * seldom)
		require.NoFileExists(t, path)
		require.FileExists(t, k.Path(id))

		k.use(id, "j")
		synctest.Wait()
		_, ok = k.cache(id)
		require.True(t, ok, "it is made again")
	})
}

func TestAnIdleNodeWithExpiredImagesAsksTheStoreNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely, func(d *blob.Deps) { d.Verify = -1 })
		k.kept(image(2))
		time.Sleep(blob.DefaultCacheIdle + 2*seldom)
		require.Len(t, k.files(), 1)
		before := k.store.Stats()
		time.Sleep(72 * time.Hour)
		require.Equal(t, before, k.store.Stats())
	})
}

func TestAnImageThatIsGoingIsNotHandedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		id := k.kept(image(2))
		synctest.Wait()
		path, _ := k.cache(id)
		time.Sleep(blob.DefaultCacheIdle - seldom/2)
		// From here on every moment until it went may be the one at which an instance comes.
		for n := 0; exists(path); n++ {
			if _, ok := k.cache(id); !ok {
				break
			}
			require.Less(t, n, 1000)
			time.Sleep(seldom / 10)
		}
		k.use(id, "i")
		synctest.Wait()
		_, ok := k.cache(id)
		require.True(t, ok)
		time.Sleep(2 * seldom)
		require.FileExists(t, path)
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestWhatIsNoDiskIsNoImage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		c := content([]byte("a letter"))
		c.Kind = blob.Other
		id := k.keptFor(c, version(1))
		k.use(id, "i")
		time.Sleep(2 * seldom)
		_, _, _, err := k.Cached(id)
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), "is no disk image")
		require.Len(t, k.files(), 1)
		require.Equal(t, blob.Other, k.get(id).Kind)
	})
}

func TestHeldFilesStayAndOthersGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, rarely)
		const id = "5117f778-0000-4000-8000-000000000000"
		first, second := k.Hold(id), k.Hold(id)
		require.NoError(t, os.MkdirAll(k.Dir+"/blobs/51", 0o755))
		require.NoError(t, os.WriteFile(k.CopyPath(id), []byte("half a disk"), 0o600))
		time.Sleep(3 * seldom)
		first()
		first()
		time.Sleep(3 * seldom)
		require.FileExists(t, k.CopyPath(id))
		second()
		synctest.Wait()
		require.Empty(t, k.files())
	})
}
