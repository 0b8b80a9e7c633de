package realimages_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// TestASnapshotOfARunningGuestBoots copies the disk of a guest that runs, whole and thin, and boots others from the copies: they
// have what the guest wrote, which counts its boots on its disk.
func TestASnapshotOfARunningGuestBoots(t *testing.T) {
	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, 6*time.Minute)
	p := w.Start(ctx, t, cloudtest.Point{})
	defer func() {
		if t.Failed() {
			t.Log(p.Log())
		}
	}()
	i, err := cloudtest.Up(ctx, p.Client, w.Image())
	require.NoError(t, err)
	_, err = cloudtest.Console(ctx, p.Client, i.UUID, "TINY-BOOTCOUNT 1", "TINY-READY web1")
	require.NoError(t, err)
	for _, r := range []api.TakeSnapshot{{Flatten: true}, {Thin: true}} {
		taken, err := p.Client.SnapshotInstance(ctx, i.UUID, r)
		require.NoError(t, err)
		s := awaitSnapshot(ctx, t, p.Client, i.UUID, taken["vda"].Blob)
		require.Equal(t, r.Thin, s.DependsOn != nil)
		born, err := p.Client.CreateInstance(ctx, cloudtest.Tiny("born", "sf://snapshot/"+s.UUID, i.Interfaces[0].NetworkUUID))
		require.NoError(t, err)
		_, err = cloudtest.Console(ctx, p.Client, born.UUID, "TINY-BOOTCOUNT 2", "TINY-READY born")
		require.NoError(t, err, "what the first guest wrote is there")
		_, err = p.Client.DeleteInstance(ctx, born.UUID)
		require.NoError(t, err)
	}
	require.NoError(t, p.Client.PowerOff(ctx, i.UUID))
	require.NoError(t, p.Client.PowerOn(ctx, i.UUID))
	_, err = cloudtest.Console(ctx, p.Client, i.UUID, "TINY-BOOTCOUNT 2")
	require.NoError(t, err, "the first guest's disk is whole")

	cloudtest.GoesCleanly(ctx, t, p.Client, w)
	p.Stop()
	require.NoError(t, os.RemoveAll(w.State()))
}

// awaitSnapshot waits until a copy is made, and returns its entry.
func awaitSnapshot(ctx context.Context, t *testing.T, c *client.Client, id, blob string) api.Snapshot {
	t.Helper()
	for {
		list, err := c.InstanceSnapshots(ctx, id)
		require.NoError(t, err)
		for _, s := range list {
			require.Empty(t, s.ErrorMessage)
			if s.BlobUUID == blob && s.State == api.StateCreated {
				return s
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			require.NoError(t, errors.Join(context.Cause(ctx), errors.New("the snapshot was not taken")))
		}
	}
}
