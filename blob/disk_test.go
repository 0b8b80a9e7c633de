package blob_test

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/needs"
	"github.com/shakenfist/shakenfist/store"
)

func TestAFullDiskIsSaidAndLeavesNothing(t *testing.T) {
	if err := needs.CheckRoot(); err != nil {
		needs.Missing(t, needs.Root, err)
	}
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	synctest.Test(t, func(t *testing.T) {
		k := start(t, func(d *blob.Deps) { d.Dir = dir })
		c := content(image(4096)) // 2 MiB
		c.Size = -1               // or it would not even begin
		_, err := k.Ingest(k.ctx, c)
		require.ErrorIs(t, err, fault.Exhausted)
		require.Contains(t, fault.Text(err), "no room for "+dir)
		require.Contains(t, fault.Text(err), "MiB free; delete artifacts that are not needed")
		require.Empty(t, k.files())
		k.kept(image(4))
	})
}

func TestAnISOIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		id := k.kept(iso(20, 20*2048))
		synctest.Wait()
		img, size, ok, err := k.Cached(id)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, hypervisor.ISO, img.Format)
		require.Equal(t, k.Dir+"/image_cache/"+id+".iso", img.Path)
		require.EqualValues(t, 20*2048, size)
	})
}

func TestLostContentIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		id := k.kept(image(2))
		synctest.Wait()
		require.NoError(t, os.Remove(k.Path(id)))
		img, _, _, err := k.Cached(id)
		require.NoError(t, err)
		require.NoError(t, os.Remove(img.Path))
		time.Sleep(2 * resync)
		_, _, ok, err := k.Cached(id)
		require.False(t, ok)
		require.ErrorIs(t, err, fault.NotFound)
		require.Contains(t, fault.Text(err), "no node has the content of blob "+id)
	})
}

func TestARecordOfANewerProgramKeepsItsFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		id := uuid.NewString()
		_, err := k.store.Commit(k.ctx, nil, []store.Op{
			store.Put("o/blob/"+id, []byte(`{"schema":99,"record":{}}`)), store.Put("o/head", nil), // as every program does
		})
		require.NoError(t, err)
		k.write("blobs/" + id[:2] + "/" + id)
		time.Sleep(2 * resync)
		require.Len(t, k.files(), 1)
	})
}
