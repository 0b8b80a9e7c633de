package cloudtest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// Copies takes copies of all disks of an instance at once, of one, and of one of an instance that is off, and boots from
// them. Nothing is left.
func (s Stage) Copies(ctx context.Context, t testing.TB) {
	t.Helper()
	// The config drive lies between the two, and no copies are taken of it.
	const first, other = "vda", "vdc"
	size := 1
	r := Tiny("two", s.World.Image(), "")
	r.Disk = append(r.Disk, api.DiskSpec{Size: &size})
	two := s.create(ctx, t, r)
	require.NoError(t, s.Guests.Write(ctx, two.UUID, first, "on the first"))
	require.NoError(t, s.Guests.Write(ctx, two.UUID, other, "on the second"))
	all := s.take(ctx, t, two.UUID, api.TakeSnapshot{All: true, MaxVersions: 1})
	require.Len(t, all, 2)

	r = Tiny("born", "sf://snapshot/"+all[first].Artifact, "")
	second := "sf://instance/" + two.UUID + "/" + other
	r.Disk = append(r.Disk, api.DiskSpec{Base: &second})
	born := s.create(ctx, t, r)
	s.sees(ctx, t, born.UUID, first, "on the first")
	s.sees(ctx, t, born.UUID, other, "on the second")

	s.oneDevice(ctx, t, two.UUID, born.UUID, all[other].Blob)
	s.whileOff(ctx, t, two.UUID)
	GoesCleanly(ctx, t, s.Client, s.World)
}

// oneDevice copies the second disk once more. Of two copies the older is dropped, and its file goes with the instance that
// has it.
func (s Stage) oneDevice(ctx context.Context, t testing.TB, id, born, older string) {
	t.Helper()
	none := s.take(ctx, t, id, api.TakeSnapshot{Device: "vdz"})
	require.Empty(t, none)
	one := s.take(ctx, t, id, api.TakeSnapshot{Device: "vdc"})
	require.Len(t, one, 1)
	require.NotEqual(t, older, one["vdc"].Blob)
	a, err := s.Client.GetArtifact(ctx, one["vdc"].Artifact)
	require.NoError(t, err)
	require.Equal(t, one["vdc"].Blob, a.BlobUUID)
	require.Len(t, a.Blobs, 1)
	s.there(ctx, t, older)
	s.remove(ctx, t, born)
	s.gone(ctx, t, s.content(older))
	s.there(ctx, t, one["vdc"].Blob)
}

// whileOff copies a disk of an instance that is off.
func (s Stage) whileOff(ctx context.Context, t testing.TB, id string) {
	t.Helper()
	require.NoError(t, s.Guests.Write(ctx, id, "vda", "before it was off"))
	require.NoError(t, s.Client.PowerOff(ctx, id))
	taken := s.take(ctx, t, id, api.TakeSnapshot{})
	require.Len(t, taken, 1)
	born := s.create(ctx, t, Tiny("born2", "sf://blob/"+taken["vda"].Blob, ""))
	s.sees(ctx, t, born.UUID, "vda", "on the first", "before it was off")
	require.NoError(t, s.Client.PowerOn(ctx, id))
}

// Variables copies the variables of a guest's firmware and starts another guest with them. Nothing is left.
func (s Stage) Variables(ctx context.Context, t testing.TB) {
	t.Helper()
	r := Tiny("uefi", s.World.Image(), "")
	r.UEFI, r.Memory = true, 256
	i := s.create(ctx, t, r)
	require.NoError(t, s.Client.PowerOff(ctx, i.UUID))
	taken := s.take(ctx, t, i.UUID, api.TakeSnapshot{Device: "nvram"})
	require.Len(t, taken, 1)
	want, err := os.ReadFile(filepath.Join(s.Dir, "instances", i.UUID, "nvram"))
	require.NoError(t, err)
	var has bytes.Buffer
	_, err = s.Client.DownloadBlob(ctx, taken["nvram"].Blob, &has, client.DownloadOptions{})
	require.NoError(t, err)
	require.Equal(t, string(want), has.String())

	template := "sf://blob/" + taken["nvram"].Blob
	r.Name, r.NVRAMTemplate = "uefi2", &template
	born := s.create(ctx, t, r)
	_, err = s.Client.DeleteArtifact(ctx, taken["nvram"].Artifact)
	require.NoError(t, err)
	s.there(ctx, t, taken["nvram"].Blob) // for the instance
	f, err := os.Stat(filepath.Join(s.Dir, "instances", born.UUID, "nvram"))
	require.NoError(t, err)
	require.EqualValues(t, len(want), f.Size())
	s.remove(ctx, t, born.UUID)
	s.gone(ctx, t, s.content(taken["nvram"].Blob))
	GoesCleanly(ctx, t, s.Client, s.World)
}
