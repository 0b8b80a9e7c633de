package instance_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/simulation"
)

// everything asks for all that can be copied.
func everything() instance.SnapshotRequest { return instance.SnapshotRequest{All: true} }

// snapshot asks for a snapshot and waits until all of it is taken.
func (w *world) snapshot(t *testing.T, id string, r instance.SnapshotRequest) []instance.Taken {
	t.Helper()
	taken, err := w.Instances.Snapshot(t.Context(), id, r)
	require.NoError(t, err)
	for _, p := range taken {
		require.Equal(t, instance.SnapshotTaken, w.settled(t, id, p.Blob).State)
	}
	return taken
}

// settled waits until a copy was made or failed.
func (w *world) settled(t *testing.T, id, blobID string) instance.Snapshot {
	t.Helper()
	for range 3600 {
		if s := w.copyOf(t, id, blobID); s.State != instance.SnapshotWanted {
			return s
		}
		time.Sleep(time.Second)
	}
	t.Fatal("the snapshot was not settled in an hour")
	return instance.Snapshot{}
}

// copyOf returns the entry of a copy.
func (w *world) copyOf(t *testing.T, id, blobID string) instance.Snapshot {
	t.Helper()
	all, err := w.Instances.Snapshots(t.Context(), id)
	require.NoError(t, err)
	for _, s := range all {
		if s.Blob == blobID {
			return s
		}
	}
	t.Fatalf("%s is not listed in %v", blobID, all)
	return instance.Snapshot{}
}

// writes has a guest write to its first disk.
func (w *world) writes(t *testing.T, id, text string) {
	t.Helper()
	require.NoError(t, w.Hypervisor.Write(id, "vda", text))
}

// reads returns what a guest finds on a disk.
func (w *world) reads(t *testing.T, id, device string) string {
	t.Helper()
	text, err := w.Hypervisor.Read(id, device)
	require.NoError(t, err)
	return text
}

// calm waits until loops have looked at everything, and asserts that no disk stands still and no copy lies about.
func (w *world) calm(t *testing.T) {
	t.Helper()
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	require.Empty(t, w.Instances.Busy())
	for _, f := range w.files(t) {
		require.NotContains(t, f, hypervisor.HeldSuffix)
		require.NotContains(t, f, ".partial")
	}
	for _, pattern := range []string{"*.copy*", "*.partial"} {
		left, err := filepath.Glob(filepath.Join(w.dir, "blobs", "*", pattern))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

// told returns the extra of an instance's newest event with that message.
func (w *world) told(t *testing.T, id, message string) map[string]any {
	t.Helper()
	events, err := w.Events.List(t.Context(), event.Object{Kind: "instance", ID: id}, "", -1)
	require.NoError(t, err)
	for _, e := range events {
		if e.Message == message {
			return e.Extra
		}
	}
	t.Fatalf("no event %q in %v", message, w.messages(t, id))
	return nil
}

func TestASnapshotHasWhatTheGuestWroteBeforeIt(t *testing.T) {
	t.Parallel()
	for name, thin := range map[string]bool{"flat": false, "thin": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := one(t)
				golden := w.made(t, spec(instance.DiskSpec{Base: imageURL, SizeGiB: 1}))
				w.writes(t, golden.ID, "the change")
				taken := w.snapshot(t, golden.ID, instance.SnapshotRequest{Thin: &thin})
				require.Len(t, taken, 1)
				require.Equal(t, "vda", taken[0].Device)
				require.Equal(t, "sf://instance/"+golden.ID+"/vda", taken[0].SourceURL)
				w.writes(t, golden.ID, "too late")

				b, err := w.Blobs.Get(t.Context(), taken[0].Blob)
				require.NoError(t, err)
				if thin {
					require.Equal(t, golden.Images[0], b.DependsOn)
				} else {
					require.Empty(t, b.DependsOn)
				}
				a, err := w.Artifacts.Get(t.Context(), taken[0].Artifact)
				require.NoError(t, err)
				require.Equal(t, artifact.Created, a.State)
				require.Equal(t, golden.ID+"/vda", a.Name)
				require.Equal(t, "system", a.Namespace)

				extra := w.told(t, golden.ID, "snapshot of vda: crash-consistent: no agent in the guest")
				require.Equal(t, taken[0].Blob, extra["blob"])
				require.EqualValues(t, b.Size, extra["bytes"])

				for _, base := range []string{
					"sf://snapshot/" + taken[0].Artifact, "sf://blob/" + taken[0].Blob, taken[0].SourceURL,
				} {
					born := w.made(t, spec(instance.DiskSpec{Base: base}))
					require.Equal(t, []string{taken[0].Blob}, born.Images)
					text := w.reads(t, born.ID, "vda")
					require.Contains(t, text, "the change")
					require.NotContains(t, text, "too late")
				}
				require.Contains(t, w.reads(t, golden.ID, "vda"), "too late", "what was written meanwhile is not lost")
				w.calm(t)
			})
		})
	}
}

func TestSnapshotsOutliveTheirInstanceAndKeepWhatLiesBeneath(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		thin := true
		golden := w.made(t, spec(instance.DiskSpec{Base: imageURL, SizeGiB: 1}))
		w.writes(t, golden.ID, "the change")
		taken := w.snapshot(t, golden.ID, instance.SnapshotRequest{Thin: &thin})
		w.deleted(t, golden.ID)
		for _, a := range w.Artifacts.List(t.Context(), "system") {
			if a.Type == artifact.Image {
				_, err := w.Artifacts.Delete(t.Context(), a.ID)
				require.NoError(t, err)
			}
		}
		w.calm(t)
		listed := w.copyOf(t, golden.ID, taken[0].Blob)
		require.Equal(t, instance.SnapshotTaken, listed.State)
		require.True(t, w.Blobs.Held(golden.Images[0]), "the image beneath a thin snapshot stays")
		born := w.made(t, spec(instance.DiskSpec{Base: "sf://snapshot/" + taken[0].Artifact}))
		require.Contains(t, w.reads(t, born.ID, "vda"), "the change")

		w.deleted(t, born.ID)
		_, err := w.Artifacts.Delete(t.Context(), taken[0].Artifact)
		require.NoError(t, err)
		w.calm(t)
		require.Empty(t, w.Blobs.List(t.Context()), "nothing refers to any content")
	})
}

func TestASnapshotOfAllHasWhatCanBeCopied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		s := spec(instance.DiskSpec{SizeGiB: 1}, instance.DiskSpec{SizeGiB: 2, Bus: "sata"}, instance.DiskSpec{Base: imageURL, Type: "cdrom"})
		s.UEFI = true
		i := w.made(t, s)
		require.NoError(t, w.Hypervisor.Write(i.ID, "sdc", "data"))
		taken := w.snapshot(t, i.ID, everything())
		devices := map[string]instance.Taken{}
		for _, p := range taken {
			devices[p.Device] = p
		}
		require.Len(t, devices, 3)
		require.Contains(t, devices, "vda")
		require.Contains(t, devices, "sdc")
		b, err := w.Blobs.Get(t.Context(), devices[instance.NVRAM].Blob)
		require.NoError(t, err)
		require.Equal(t, blob.Other, b.Kind)
		moment := w.told(t, i.ID, "snapshot of vda: crash-consistent: no agent in the guest")["moment"]
		require.Equal(t, moment, w.told(t, i.ID, "snapshot of sdc: crash-consistent: no agent in the guest")["moment"])

		again := spec(instance.DiskSpec{Base: devices["vda"].SourceURL}, instance.DiskSpec{Base: devices["sdc"].SourceURL})
		again.UEFI, again.NVRAMTemplate = true, devices[instance.NVRAM].Blob
		born := w.made(t, again)
		require.Equal(t, devices[instance.NVRAM].Blob, born.NVRAM)
		require.Contains(t, w.reads(t, born.ID, "vdc"), "data")
		w.calm(t)
	})
}

func TestWhatCannotBeCopiedGivesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec())
		for _, device := range []string{"vdz", "vdb", instance.NVRAM, "../vda"} {
			taken, err := w.Instances.Snapshot(t.Context(), i.ID, instance.SnapshotRequest{Device: device})
			require.NoError(t, err)
			require.Empty(t, taken, device)
		}
		all, err := w.Instances.Snapshots(t.Context(), i.ID)
		require.NoError(t, err)
		require.Empty(t, all)
		for _, n := range []int{-1, 101} {
			_, err = w.Instances.Snapshot(t.Context(), i.ID, instance.SnapshotRequest{MaxVersions: n})
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, "max_versions")
		}
		_, err = w.Instances.Snapshot(t.Context(), "7d9b5a8e-1111-4222-8333-444455556666", everything())
		require.ErrorIs(t, err, fault.NotFound)
		_, err = w.Instances.Snapshots(t.Context(), "7d9b5a8e-1111-4222-8333-444455556666")
		require.ErrorIs(t, err, fault.NotFound)
		w.deleted(t, i.ID)
		_, err = w.Instances.Snapshot(t.Context(), i.ID, everything())
		require.ErrorIs(t, err, fault.NotReady)
		require.ErrorContains(t, err, "is not ready (deleted)")
		require.Empty(t, w.Artifacts.List(t.Context(), "system"), "no artifact is made for what is not copied")
	})
}

func TestOnlySoManySnapshotsWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec())
		hangs := w.hang("hypervisor.CopyDisk")
		var first string
		for n := range 16 {
			taken, err := w.Instances.Snapshot(t.Context(), i.ID, instance.SnapshotRequest{MaxVersions: 100})
			require.NoError(t, err)
			if n == 0 {
				first = taken[0].Blob
			}
		}
		<-hangs
		_, err := w.Instances.Snapshot(t.Context(), i.ID, everything())
		require.ErrorIs(t, err, fault.NotReady)
		require.ErrorContains(t, err, "16 snapshots that wait")
		require.Equal(t, instance.SnapshotWanted, w.copyOf(t, i.ID, first).State)
		require.Equal(t, instance.SnapshotFailed, w.settled(t, i.ID, first).State, "what hangs is ended")
		w.calm(t)
		all, err := w.Instances.Snapshots(t.Context(), i.ID)
		require.NoError(t, err)
		require.Len(t, all, 16)
		for n, s := range all[:15] {
			require.Equal(t, instance.SnapshotTaken, s.State)
			require.Equal(t, n+1, s.Index, "the oldest version first")
		}
		require.Equal(t, first, all[15].Blob)
		require.Contains(t, all[15].Error, "took longer than")
		time.Sleep(2 * time.Hour)
		all, err = w.Instances.Snapshots(t.Context(), i.ID)
		require.NoError(t, err)
		require.Len(t, all, 15, "failures are forgotten")
	})
}

func TestMaxVersionsDropTheOldestCopies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		i := w.made(t, spec())
		var blobs []string
		for range 4 {
			blobs = append(blobs, w.snapshot(t, i.ID, instance.SnapshotRequest{MaxVersions: 2})[0].Blob)
		}
		w.calm(t)
		all, err := w.Instances.Snapshots(t.Context(), i.ID)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, blobs[2:], []string{all[0].Blob, all[1].Blob})
		require.Equal(t, 4, all[1].Index)
		require.Len(t, w.Blobs.List(t.Context()), 2)
	})
}

func TestAGuestWithAnAgentIsFrozen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := begin(t, withAgents(), t.TempDir())
		s := spec()
		s.SideChannels = []string{hypervisor.GuestAgentChannel}
		i := w.made(t, s)
		w.snapshot(t, i.ID, instance.SnapshotRequest{})
		require.Contains(t, w.messages(t, i.ID), "snapshot of vda: frozen by qemu-guest-agent")
		require.NoError(t, w.Instances.PowerOff(t.Context(), i.ID))
		w.snapshot(t, i.ID, instance.SnapshotRequest{})
		require.Contains(t, w.messages(t, i.ID), "snapshot of vda: the guest was off")
	})
}

// withAgents are parts whose guests have an agent.
func withAgents() simulation.Parts {
	parts := simulation.New()
	parts.Hypervisor = simhv.New(simhv.Options{Switch: parts.Network, GuestAgent: true})
	return parts
}

func TestTheCloudSaysWhetherSnapshotsAreThin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t, func(c *shakenfist.Config) { c.ThinSnapshots = true })
		i := w.made(t, spec(instance.DiskSpec{Base: imageURL}, instance.DiskSpec{SizeGiB: 1}))
		for _, p := range w.snapshot(t, i.ID, everything()) {
			b, err := w.Blobs.Get(t.Context(), p.Blob)
			require.NoError(t, err)
			require.Equal(t, map[string]string{"vda": i.Images[0], "vdc": ""}[p.Device], b.DependsOn, "a disk with nothing beneath is copied whole")
		}
		flat := false
		b, err := w.Blobs.Get(t.Context(), w.snapshot(t, i.ID, instance.SnapshotRequest{Thin: &flat})[0].Blob)
		require.NoError(t, err)
		require.Empty(t, b.DependsOn)
	})
}
