package blob_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

const style = "zlib;qcow2;cluster_size"

// keepAll has every converted image kept as a blob, however small.
func keepAll(d *blob.Deps) { d.KeepFrom, d.Resync = 1, seldom }

func TestAConvertedImageIsKeptAsABlob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, keepAll)
		id := k.kept(image(2))
		time.Sleep(time.Minute)
		path, ok := k.cache(id)
		require.True(t, ok)
		kept := k.get(id).Transcodes[style]
		require.NotEmpty(t, kept)
		b := k.get(kept)
		require.Equal(t, []blob.Owner{{Kind: blob.Transcode, ID: id}}, b.Owners)
		require.Equal(t, hypervisor.QCOW2, b.Facts.Format)
		require.Empty(t, b.Transcodes, "it has none of its own")
		require.True(t, same(t, path, k.Path(kept)), "it takes no room")

		k = k.again(keepAll)
		k.use(id, "i")
		require.NoError(t, os.Remove(path))
		k.hv.FailNext("Convert", fault.New("convert", fault.Unavailable, "", "not now"))
		time.Sleep(2 * seldom)
		_, ok = k.cache(id)
		require.True(t, ok, "it is made of what was kept")
		require.Len(t, k.get(id).Transcodes, 1)
	})
}

func same(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.Stat(a)
	require.NoError(t, err)
	y, err := os.Stat(b)
	require.NoError(t, err)
	return os.SameFile(x, y)
}

func TestATranscodeExpiresUnused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, keepAll)
		id := k.kept(image(2))
		time.Sleep(time.Minute)
		kept := k.get(id).Transcodes[style]
		time.Sleep(blob.DefaultCacheIdle + 2*seldom)
		require.Empty(t, k.get(id).Transcodes)
		require.Equal(t, []string{"blobs/" + id[:2] + "/" + id}, k.files())
		_, err := k.Get(k.ctx, kept)
		if err == nil {
			require.Equal(t, blob.Deleted, k.get(kept).State)
		}
	})
}

func TestATranscodeEndsWithItsOriginal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, keepAll)
		id := k.kept(image(2))
		time.Sleep(time.Minute)
		kept := k.get(id).Transcodes[style]
		k.drop(id)
		synctest.Wait()
		require.Equal(t, blob.Deleted, k.get(kept).State)
		require.Empty(t, k.files())
	})
}

func TestATranscodeThatSomebodyElseNeedsStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, keepAll)
		id := k.kept(image(2))
		time.Sleep(time.Minute)
		kept := k.get(id).Transcodes[style]
		same, err := os.ReadFile(k.Path(kept))
		require.NoError(t, err)
		s, err := k.Ingest(k.ctx, content(same))
		require.NoError(t, err)
		twin, ok := k.Twin(s)
		require.True(t, ok)
		require.Equal(t, kept, twin)
		s.Done()
		k.commit(addRef(k, kept, version(7)))
		k.drop(id)
		time.Sleep(2 * blob.DefaultCacheIdle)
		require.Equal(t, []blob.Owner{version(7)}, k.get(kept).Owners)
		require.Equal(t, []string{"blobs/" + kept[:2] + "/" + kept}, k.files())
		k.use(kept, "i")
		synctest.Wait()
		_, ok = k.cache(kept)
		require.True(t, ok)
	})
}

func TestAnImageWithoutItsContentIsMadeOfItsTranscode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t, keepAll)
		id := k.kept(image(2))
		time.Sleep(time.Minute)
		path, _ := k.cache(id)
		k.use(id, "i")
		require.NoError(t, os.Remove(k.Path(id)))
		require.NoError(t, os.Remove(path))
		time.Sleep(2 * seldom)
		require.Equal(t, 0, len(k.get(id).Locations))
		_, ok := k.cache(id)
		require.True(t, ok)
		k.leave(id)
		time.Sleep(2 * blob.DefaultCacheIdle)
		require.Len(t, k.get(id).Transcodes, 1, "it is all that is left")
	})
}
