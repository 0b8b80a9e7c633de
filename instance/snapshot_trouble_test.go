package instance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/simulation"
)

// slow has the next step of that name wait until the function it returns is called, or its context ends.
func (w *world) slow(name string) (waits chan struct{}, goOn func()) {
	waits, resume := make(chan struct{}), make(chan struct{})
	var reached atomic.Bool
	w.onStep(func(ctx context.Context, s step.Step) error {
		if s.Name != name || s.After || !reached.CompareAndSwap(false, true) {
			return nil
		}
		close(waits)
		select {
		case <-resume:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	return waits, sync.OnceFunc(func() { close(resume) })
}

// begun asks for a snapshot, and returns when its first disk is about to be copied.
func (w *world) begun(t *testing.T, id string, r instance.SnapshotRequest) (taken []instance.Taken, goOn func()) {
	t.Helper()
	waits, goOn := w.slow("hypervisor.CopyDisk")
	taken, err := w.Instances.Snapshot(t.Context(), id, r)
	require.NoError(t, err)
	<-waits
	return taken, goOn
}

func TestAGuestRunsOnAndPowersOffWhileItIsCopied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec())
		w.writes(t, i.ID, "before")
		taken, goOn := w.begun(t, i.ID, instance.SnapshotRequest{})
		w.writes(t, i.ID, "meanwhile")
		require.Contains(t, w.files(t), i.ID+"/vda"+hypervisor.HeldSuffix)
		start := time.Now()
		require.NoError(t, w.Instances.PowerOff(t.Context(), i.ID))
		require.Less(t, time.Since(start), time.Second, "the copying keeps nobody")
		on := make(chan error, 1)
		go func() { on <- w.Instances.PowerOn(context.WithoutCancel(t.Context()), i.ID) }()
		time.Sleep(10 * time.Second)
		require.Equal(t, "off", w.get(t, i.ID).Power, "what is copied must not change")
		goOn()
		require.NoError(t, <-on)
		require.Equal(t, instance.SnapshotTaken, w.settled(t, i.ID, taken[0].Blob).State)
		require.Contains(t, w.reads(t, i.ID, "vda"), "before\nmeanwhile\n")
		born := w.made(t, spec(instance.DiskSpec{Base: taken[0].SourceURL}))
		require.Contains(t, w.reads(t, born.ID, "vda"), "before")
		require.NotContains(t, w.reads(t, born.ID, "vda"), "meanwhile")
		w.calm(t)
	})
}

func TestSnapshotsOfOneInstanceComeOneAfterTheOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i, other := w.made(t, spec()), w.made(t, spec())
		w.writes(t, i.ID, "one")
		first, goOn := w.begun(t, i.ID, instance.SnapshotRequest{})
		w.writes(t, i.ID, "two")
		second, err := w.Instances.Snapshot(t.Context(), i.ID, instance.SnapshotRequest{})
		require.NoError(t, err)
		require.Equal(t, first[0].Artifact, second[0].Artifact)
		w.snapshot(t, other.ID, instance.SnapshotRequest{}) // another instance's need not wait
		require.Equal(t, instance.SnapshotWanted, w.copyOf(t, i.ID, second[0].Blob).State)
		goOn()
		for n, p := range []instance.Taken{first[0], second[0]} {
			s := w.settled(t, i.ID, p.Blob)
			require.Equal(t, instance.SnapshotTaken, s.State)
			require.Equal(t, n+1, s.Index)
			born := w.made(t, spec(instance.DiskSpec{Base: "sf://blob/" + p.Blob}))
			require.Equal(t, n == 1, strings.Contains(w.reads(t, born.ID, "vda"), "two"))
		}
		w.calm(t)
	})
}

func TestDeletePreemptsASnapshot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec(instance.DiskSpec{Base: imageURL}, instance.DiskSpec{SizeGiB: 1}))
		kept := w.snapshot(t, i.ID, instance.SnapshotRequest{})
		taken, goOn := w.begun(t, i.ID, everything())
		defer goOn()
		waiting, err := w.Instances.Snapshot(t.Context(), i.ID, everything())
		require.NoError(t, err)
		require.Less(t, w.deleted(t, i.ID), time.Second)
		synctest.Wait()
		for _, p := range append(taken, waiting...) {
			s := w.copyOf(t, i.ID, p.Blob)
			require.Equal(t, instance.SnapshotFailed, s.State)
			require.Contains(t, s.Error, "the instance was deleted before its disk was copied")
		}
		require.Contains(t, w.messages(t, i.ID), "snapshot of vda failed")
		require.Equal(t, instance.SnapshotTaken, w.copyOf(t, i.ID, kept[0].Blob).State)
		a, err := w.Artifacts.Get(t.Context(), taken[1].Artifact)
		require.NoError(t, err)
		require.Equal(t, artifact.Error, a.State, "it never got a version")
		require.Contains(t, a.Error, "the instance was deleted")
		w.calm(t)
		require.Empty(t, w.files(t))
	})
}

func TestACopyForADeletedArtifactIsDiscarded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec())
		taken, goOn := w.begun(t, i.ID, instance.SnapshotRequest{})
		_, err := w.Artifacts.Delete(t.Context(), taken[0].Artifact)
		require.NoError(t, err)
		goOn()
		s := w.settled(t, i.ID, taken[0].Blob)
		require.Equal(t, instance.SnapshotFailed, s.State)
		require.Contains(t, s.Error, "it was deleted")
		w.calm(t)
		require.Empty(t, w.Blobs.List(t.Context()))
		w.snapshot(t, i.ID, instance.SnapshotRequest{})
	})
}

func TestADriverThatFails(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Hold", "CopyDisk", "Release"} {
		for kind, want := range map[fault.Kind]instance.SnapshotState{ //nolint:exhaustive // those that pass, and one that does not
			fault.Unavailable: instance.SnapshotTaken, fault.Internal: instance.SnapshotTaken, fault.Exhausted: instance.SnapshotFailed,
		} {
			t.Run(fmt.Sprint(method, " ", kind), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := one(t)
					i := w.made(t, spec())
					w.Hypervisor.FailNext(method, fault.New("test", kind, "", "the host is cursed"))
					taken, err := w.Instances.Snapshot(t.Context(), i.ID, instance.SnapshotRequest{})
					require.NoError(t, err)
					s := w.settled(t, i.ID, taken[0].Blob)
					require.Equal(t, want, s.State, s.Error)
					if want == instance.SnapshotFailed {
						require.Contains(t, s.Error, "the host is cursed")
						a, err := w.Artifacts.Get(t.Context(), taken[0].Artifact)
						require.NoError(t, err)
						require.Equal(t, artifact.Error, a.State)
					}
					w.writes(t, i.ID, "later")
					w.calm(t)
					w.snapshot(t, i.ID, instance.SnapshotRequest{})
					require.Contains(t, w.reads(t, i.ID, "vda"), "later")
				})
			})
		}
	}
}

func TestADriverThatNeverWorksIsGivenUpSoon(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec())
		w.failAlways("CopyDisk", fault.New("test", fault.Unavailable, "", "the host is away"))
		start := time.Now()
		taken, err := w.Instances.Snapshot(t.Context(), i.ID, instance.SnapshotRequest{})
		require.NoError(t, err)
		require.Equal(t, instance.SnapshotFailed, w.settled(t, i.ID, taken[0].Blob).State)
		require.Less(t, time.Since(start), 20*time.Second)
		w.calm(t)
	})
}

func TestADiskWithoutRoomFailsTheSnapshotAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec())
		w.Blobs.MinFree = 1 << 60
		taken, err := w.Instances.Snapshot(t.Context(), i.ID, instance.SnapshotRequest{})
		require.NoError(t, err)
		s := w.settled(t, i.ID, taken[0].Blob)
		require.Equal(t, instance.SnapshotFailed, s.State)
		require.Contains(t, s.Error, "room")
		w.calm(t)
		require.Equal(t, "on", w.get(t, i.ID).Power)
	})
}

func TestSnapshotsOnADeletedNodeEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		lost, left := two(t)
		i := lost.made(t, on("vm", "n1"))
		taken, goOn := lost.begun(t, i.ID, instance.SnapshotRequest{})
		defer goOn()
		require.NoError(t, lost.stop())
		time.Sleep(time.Minute)
		left.deleteFirst(t)
		time.Sleep(time.Minute)
		s := left.settled(t, i.ID, taken[0].Blob)
		require.Equal(t, instance.SnapshotFailed, s.State)
		require.Contains(t, s.Error, "node n1, which took the snapshot, was deleted")
	})
}

func TestASnapshotIsNotWantedOfAnInstanceThatIsJustLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		lost, left := two(t)
		i := lost.made(t, on("vm", "n1"))
		require.NoError(t, lost.stop())
		time.Sleep(time.Minute)
		var once sync.Once
		left.onStep(func(_ context.Context, s step.Step) error {
			if s.Name == "commit want snapshot" && !s.After {
				once.Do(func() {
					left.deleteFirst(t)
					left.wait(t, i.ID, instance.Error)
				})
			}
			return nil
		})
		_, err := left.Instances.Snapshot(t.Context(), i.ID, instance.SnapshotRequest{})
		require.ErrorIs(t, err, fault.NotReady, "nobody is there who could ever take it")
		for key := range dump(t, left.Store) {
			require.NotContains(t, key, "snapshot/"+i.ID)
		}
	})
}

// instant is a step of a snapshot's life: the nth of its name.
type instant struct {
	name  string
	nth   int
	after bool
}

func (m instant) String() string {
	return fmt.Sprintf("%s %s #%d", map[bool]string{false: "before", true: "after"}[m.after], m.name, m.nth)
}

var errKilled = errors.New("the process was killed")

// death ends a world's process at an instant: from then on, nothing has an effect.
type death struct {
	at   instant
	dead chan struct{}

	mu   sync.Mutex
	seen []instant // guarded by mu
	gone bool      // guarded by mu
}

func (d *death) hook(_ context.Context, s step.Step) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return errKilled
	}
	here := instant{name: s.Name, nth: 1, after: s.After}
	for _, m := range d.seen {
		if m.name == here.name && m.after == here.after {
			here.nth++
		}
	}
	d.seen = append(d.seen, here)
	if here != d.at {
		return nil
	}
	d.gone = true
	close(d.dead)
	return errKilled
}

// toBeCopied makes an instance with everything that a snapshot can have.
func (w *world) toBeCopied(t *testing.T) string {
	t.Helper()
	s := spec(instance.DiskSpec{Base: imageURL, SizeGiB: 1}, instance.DiskSpec{SizeGiB: 1})
	s.UEFI = true
	i := w.made(t, s)
	w.writes(t, i.ID, "the change")
	synctest.Wait()
	return i.ID
}

// aSnapshotsLife returns the instants of a snapshot, but for those of measuring, which come when time has passed.
func aSnapshotsLife(t *testing.T) (all []instant) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := one(t)
		id := w.toBeCopied(t)
		d := &death{dead: make(chan struct{})}
		w.onStep(d.hook)
		thin := true
		_, err := w.Instances.Snapshot(t.Context(), id, instance.SnapshotRequest{All: true, Thin: &thin})
		require.NoError(t, err)
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		all = slices.DeleteFunc(slices.Clone(d.seen), func(m instant) bool {
			return strings.Contains(m.name, "event") || m.name == "commit sample" || m.name == "commit use of blobs"
		})
	})
	return all
}

func TestTheProcessCanDieAtEveryStepOfASnapshot(t *testing.T) {
	t.Parallel()
	all := aSnapshotsLife(t)
	for _, must := range []string{
		"commit want snapshot", "hypervisor.Hold", "commit disks stand still", "hypervisor.CopyDisk", "link blob", "commit record snapshot",
		"rename copy of firmware variables", "remove snapshot copy", "hypervisor.Release", "commit end snapshot",
	} {
		require.Contains(t, all, instant{must, 1, true}, must)
	}
	t.Logf("N = %d instants", len(all))
	for _, at := range all {
		t.Run(at.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) { diesAt(t, at) })
		})
	}
}

// diesAt has the process die at an instant of a snapshot, and asserts that the next one does what was wanted.
func diesAt(t *testing.T, at instant) {
	t.Helper()
	parts, dir := simulation.New(), t.TempDir()
	w := begin(t, parts, dir)
	id := w.toBeCopied(t)
	d := &death{at: at, dead: make(chan struct{})}
	w.onStep(d.hook)
	thin := true
	accepted, err := w.Instances.Snapshot(t.Context(), id, instance.SnapshotRequest{All: true, Thin: &thin})
	<-d.dead
	require.NoError(t, w.stop())
	w.writes(t, id, "while the daemon was away") // guests run on

	again := begin(t, parts, dir)
	listed, failed := again.Instances.Snapshots(t.Context(), id)
	require.NoError(t, failed)
	if err == nil {
		require.Len(t, accepted, 3)
	}
	for _, p := range listed {
		s := again.settled(t, id, p.Blob)
		require.Equal(t, instance.SnapshotTaken, s.State, s.Error)
		if p.Device == "vda" {
			born := again.made(t, spec(instance.DiskSpec{Base: "sf://blob/" + p.Blob}))
			require.Contains(t, again.reads(t, born.ID, "vda"), "the change")
		}
	}
	if len(accepted) > 0 {
		require.Len(t, listed, 3, "what was accepted comes true")
	}
	again.calm(t)
	require.Contains(t, again.reads(t, id, "vda"), "the change\nwhile the daemon was away\n")
	again.snapshot(t, id, everything())
	require.NoError(t, again.Instances.PowerOff(t.Context(), id))
	require.NoError(t, again.Instances.PowerOn(t.Context(), id))
	require.Contains(t, again.reads(t, id, "vda"), "the change\nwhile the daemon was away\n")
}

func TestEachStepOfASnapshotMayFailOnce(t *testing.T) {
	t.Parallel()
	for _, at := range aSnapshotsLife(t) {
		if at.name == "commit want snapshot" {
			continue // the request itself
		}
		t.Run(at.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := one(t)
				id := w.toBeCopied(t)
				d := &death{dead: make(chan struct{})}
				var once sync.Once
				w.onStep(func(ctx context.Context, s step.Step) (err error) {
					_ = d.hook(ctx, s)
					d.mu.Lock()
					reached := slices.Contains(d.seen, at)
					d.mu.Unlock()
					if reached {
						once.Do(func() { err = fault.New("test", fault.Unavailable, "", "a passing fault") })
					}
					return err
				})
				for _, p := range w.snapshot(t, id, everything()) {
					require.True(t, w.Blobs.Held(p.Blob))
				}
				w.calm(t)
			})
		})
	}
}
