package realimages_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

func TestASnapshotForWhichThereIsNoRoom(t *testing.T) { fullOverSnapshot(t) }

// booted returns an instance whose guest has counted its first boot on its disk.
func booted(ctx context.Context, t *testing.T, w *cloudtest.Real, p *cloudtest.Daemon) api.Instance {
	t.Helper()
	i, err := p.Client.CreateInstance(ctx, cloudtest.Tiny("web1", w.Image(), ""))
	require.NoError(t, err)
	_, err = cloudtest.Console(ctx, p.Client, i.UUID, "TINY-BOOTCOUNT 1")
	require.NoError(t, err)
	return i
}

// fullOverSnapshot takes a snapshot for which there is no room. It fails and says why; when there is room again the next is
// taken, and the guest has noticed nothing.
func fullOverSnapshot(t *testing.T) {
	t.Helper()
	w := cloudtest.Here(t)
	defer w.Close(t)
	blobs := filepath.Join(w.State(), "blobs")
	require.NoError(t, os.MkdirAll(blobs, 0o755))
	require.NoError(t, syscall.Mount("small", blobs, "tmpfs", 0, "mode=755,size=96m"))
	unmount := sync.OnceFunc(func() { require.NoError(t, syscall.Unmount(blobs, syscall.MNT_DETACH)) })
	defer unmount()
	ctx := cloudtest.Bounded(t, 5*time.Minute)
	p := w.Start(ctx, t, cloudtest.Point{})
	defer p.SayWhenFailed(t)
	i := booted(ctx, t, w, p)

	ballast := filepath.Join(blobs, "ballast")
	fill(t, ballast, 3<<20)
	_, err := p.Client.SnapshotInstance(ctx, i.UUID, api.TakeSnapshot{Flatten: true})
	require.NoError(t, err)
	var why string
	require.Eventually(t, func() bool {
		list, err := p.Client.InstanceSnapshots(ctx, i.UUID)
		require.NoError(t, err)
		require.Len(t, list, 1)
		why = list[0].ErrorMessage
		return list[0].State == "error"
	}, time.Minute, 50*time.Millisecond)
	require.Contains(t, why, "free")
	t.Logf("proof: a snapshot for which the disk has no room: %s; taken when there is room again", why)
	require.NoError(t, os.Remove(ballast))

	taken, err := p.Client.SnapshotInstance(ctx, i.UUID, api.TakeSnapshot{Flatten: true})
	require.NoError(t, err)
	awaitNext(ctx, t, p, i.UUID, taken["vda"].Blob)
	console, err := cloudtest.Console(ctx, p.Client, i.UUID, "TINY-BOOTCOUNT 1")
	require.NoError(t, err)
	require.NotContains(t, console, "TINY-BOOTCOUNT 2")
	require.NoError(t, cloudtest.Down(ctx, p.Client))
	unmount() // it would count as left
	cloudtest.GoesCleanly(ctx, t, p.Client, w)
	p.Stop()
}

// fill leaves so many bytes free where a file is.
func fill(t testing.TB, path string, free int64) {
	t.Helper()
	var s syscall.Statfs_t
	require.NoError(t, syscall.Statfs(filepath.Dir(path), &s))
	size := int64(s.Bavail)*s.Bsize - free
	require.Positive(t, size)
	require.NoError(t, os.WriteFile(path, make([]byte, size), 0o600))
}

// awaitNext waits until a copy is made, whatever became of others.
func awaitNext(ctx context.Context, t testing.TB, p *cloudtest.Daemon, id, blob string) {
	t.Helper()
	require.Eventually(t, func() bool {
		list, err := p.Client.InstanceSnapshots(ctx, id)
		require.NoError(t, err)
		for _, s := range list {
			if s.BlobUUID == blob && s.State == "created" {
				return true
			}
		}
		return false
	}, time.Minute, 50*time.Millisecond)
}
