package instance_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/simulation"
)

func TestPowerOnWaitsForASnapshotAndIsNotForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec())
		require.NoError(t, w.Instances.PowerOff(t.Context(), i.ID))
		_, goOn := w.begun(t, i.ID, instance.SnapshotRequest{})
		start := time.Now()
		err := w.Instances.PowerOn(t.Context(), i.ID)
		require.ErrorIs(t, err, fault.Unavailable)
		require.ErrorContains(t, err, "a snapshot of the instance is being taken; it will be powered on when that is done")
		require.Equal(t, time.Minute, time.Since(start))
		goOn()
		synctest.Wait()
		require.Equal(t, "on", w.power(t, i.ID))
		w.calm(t)
	})
}

func TestAGuestThatIsOffStaysSoUntilAllItsDisksAreCopiedWhoeverDies(t *testing.T) {
	for range 20 { // which of the next process's loops comes first is chance
		synctest.Test(t, func(t *testing.T) {
			parts, dir := simulation.New(), t.TempDir()
			w := begin(t, parts, dir)
			i := w.made(t, spec(instance.DiskSpec{SizeGiB: 1}, instance.DiskSpec{SizeGiB: 1}))
			require.NoError(t, w.Instances.PowerOff(t.Context(), i.ID))
			second := make(chan struct{})
			var copies atomic.Int64
			w.onStep(func(ctx context.Context, s step.Step) error {
				if s.Name != "hypervisor.CopyDisk" || s.After || copies.Add(1) != 2 {
					return nil
				}
				close(second)
				<-ctx.Done()
				return context.Cause(ctx)
			})
			taken, err := w.Instances.Snapshot(t.Context(), i.ID, everything())
			require.NoError(t, err)
			<-second
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.Error(t, w.Instances.PowerOn(ctx, i.ID), "it is wanted from now on")
			cancel()
			require.NoError(t, w.stop())

			again := begin(t, parts, dir)
			for _, p := range taken {
				require.Equal(t, instance.SnapshotTaken, again.settled(t, i.ID, p.Blob).State)
				require.Contains(t, again.messages(t, i.ID), "snapshot of "+p.Device+": the guest was off", "else they are not of one moment")
			}
			time.Sleep(time.Minute)
			require.Equal(t, "on", again.power(t, i.ID))
			again.calm(t)
		})
	}
}

func TestAMergeWithoutRoomIsTriedAgainWithPauses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec())
		taken, goOn := w.begun(t, i.ID, instance.SnapshotRequest{})
		w.writes(t, i.ID, "meanwhile")
		require.NoError(t, w.Instances.PowerOff(t.Context(), i.ID))
		var tries atomic.Int64
		var room atomic.Bool
		w.onStep(func(_ context.Context, s step.Step) error {
			if s.Name != "hypervisor.Release" || s.After || room.Load() {
				return nil
			}
			if tries.Add(1) > 1000 {
				room.Store(true) // else it would be tried for ever at the same moment
			}
			return fault.New("test", fault.Exhausted, "", "the disk is full")
		})
		goOn()
		require.Equal(t, instance.SnapshotTaken, w.settled(t, i.ID, taken[0].Blob).State, "the copy is whole by then")
		require.ErrorIs(t, w.Instances.PowerOn(t.Context(), i.ID), fault.Unavailable)
		require.Less(t, tries.Load(), int64(40), "whoever waits for the disk must not have it tried all the time")
		room.Store(true)
		time.Sleep(time.Minute)
		require.Equal(t, "on", w.power(t, i.ID))
		require.Contains(t, w.reads(t, i.ID, "vda"), "meanwhile")
		w.calm(t)
	})
}
