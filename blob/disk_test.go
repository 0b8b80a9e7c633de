package blob_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
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

// smallDisk returns a folder on a disk of its own, of that many MiB.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	if err := needs.CheckRoot(); err != nil {
		needs.Missing(t, needs.Root, err)
	}
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestAFullDiskIsSaidAndLeavesNothing(t *testing.T) {
	dir := smallDisk(t, 1)
	synctest.Test(t, func(t *testing.T) {
		k := start(t, func(d *blob.Deps) { d.Dir = dir })
		large := image(4096) // 2 MiB
		for _, sent := range [][]byte{large, packGzip(t, large)} {
			c := content(sent)
			c.Size = -1 // or it would not even begin
			_, err := k.Ingest(k.ctx, c)
			require.ErrorIs(t, err, fault.Exhausted)
			require.Contains(t, fault.Text(err), "no room in the storage folder")
			require.NotContains(t, fault.Text(err), dir, "tenants read this")
			require.Contains(t, fault.Text(err), "MiB free, and 0 MiB stay reserved; delete artifacts that are not needed")
			require.Empty(t, k.files())
		}
		k.kept(image(4))
	})
}

// TestADiskThatOthersFillIsSaid has somebody else take what was free a moment ago.
func TestADiskThatOthersFillIsSaid(t *testing.T) {
	dir := smallDisk(t, 8)
	m := idle(t, func(d *blob.Deps) { d.Dir = dir })
	ballast := filepath.Join(dir, "ballast")
	raw := image(8192) // 4 MiB
	try := func(meanwhile func()) error {
		w, err := m.Begin(t.Context(), blob.Content{Size: -1})
		require.NoError(t, err)
		defer w.Abort(t.Context())
		_, err = w.Write(raw[:1<<20])
		require.NoError(t, err)
		meanwhile()
		if _, err = w.Write(raw[1<<20:]); err == nil {
			_, err = w.Finish(t.Context())
		}
		return err
	}
	err := try(func() { require.NoError(t, os.WriteFile(ballast, make([]byte, 6<<20), 0o600)) })
	require.ErrorIs(t, err, fault.Exhausted)
	require.Regexp(t, `MiB free.*; delete artifacts that are not needed`, fault.Text(err), "by whoever sees it first: the look at the disk, or the write")
	require.Empty(t, filesOf(t, m, "")[1:], "nothing but the ballast")
	require.NoError(t, try(func() { require.NoError(t, os.Remove(ballast)) }), "it recovers by itself")
}

func TestReservedRoomIsNotTakenWhileContentComes(t *testing.T) {
	dir := smallDisk(t, 8)
	m := idle(t, func(d *blob.Deps) { d.Dir, d.MinFree = dir, 3<<20 })
	least := int64(8 << 20)
	var s syscall.Statfs_t
	_, err := m.Ingest(t.Context(), blob.Content{Size: -1, Reader: readerFunc(func(b []byte) (int, error) {
		require.NoError(t, syscall.Statfs(dir, &s))
		least = min(least, int64(s.Bavail)*s.Bsize)
		return rand.Read(b)
	})})
	require.ErrorIs(t, err, fault.Exhausted)
	require.Contains(t, fault.Text(err), "and 3 MiB stay reserved")
	require.GreaterOrEqual(t, least, int64(3<<20))
	require.Empty(t, filesOf(t, m, ""))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestTheRoomThatStaysFree(t *testing.T) {
	dir := smallDisk(t, 100)
	path := filepath.Join(dir, "file")
	for reserve, room := range map[int64]int64{0: 100 << 20, -1: 90 << 20, 30 << 20: 70 << 20, 101 << 20: -1} {
		m := idle(t, func(d *blob.Deps) { d.Dir, d.MinFree = dir, reserve })
		if room >= 0 {
			require.NoError(t, m.Room(path, room))
		}
		err := m.Room(path, room+1)
		require.ErrorIs(t, err, fault.Exhausted)
		require.Contains(t, fault.Text(err), "no room in the storage folder")
	}
	require.NoError(t, idle(t).Room(path, -1), "of an unknown size nothing is known")
	require.Error(t, idle(t).Room(filepath.Join(dir, "missing", "file"), 0))
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
