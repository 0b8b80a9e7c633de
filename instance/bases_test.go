package instance_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
)

func TestVariablesOfTheFirmwareBeginAsTheirTemplate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		const text = "variables of a firmware"
		stored, err := w.Blobs.Ingest(t.Context(), blob.Content{Reader: strings.NewReader(text), Size: -1, Kind: blob.Other})
		require.NoError(t, err)
		a, err := w.Artifacts.Add(t.Context(), artifact.AddRequest{Name: "vars", Namespace: "system", Type: artifact.Other, Stored: stored})
		stored.Done()
		require.NoError(t, err)
		s := spec()
		s.UEFI, s.NVRAMTemplate = true, stored.ID
		i := w.made(t, s)
		require.Equal(t, text, w.read(t, filepath.Join("instances", i.ID, "nvram")))
		_, err = w.Artifacts.Delete(t.Context(), a.ID)
		require.NoError(t, err)
		w.calm(t)
		require.True(t, w.Blobs.Held(stored.ID), "the instance refers to it")
		w.deleted(t, i.ID)
		w.calm(t)
		require.False(t, w.Blobs.Held(stored.ID))
	})
}

// read returns what is in a file below the cloud's folder.
func (w *world) read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, path))
	require.NoError(t, err)
	return string(text)
}

func TestBadTemplatesAndBases(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		const nobody = "7d9b5a8e-1111-4222-8333-444455556666"
		image := w.made(t, spec(instance.DiskSpec{Base: imageURL})).Images[0]
		uefi := func(template string) instance.Spec {
			s := spec()
			s.UEFI, s.NVRAMTemplate = true, template
			return s
		}
		bios := spec()
		bios.NVRAMTemplate = "label:x"
		for name, c := range map[string]struct {
			spec instance.Spec
			kind fault.Kind
			text string
		}{
			"template without uefi":   {bios, fault.Invalid, "nvram_template requires uefi"},
			"template that is a URL":  {uefi(imageURL), fault.Invalid, "nvram_template"},
			"template that is long":   {uefi(strings.Repeat("x", 5000)), fault.Invalid, "nvram_template has 5000 bytes"},
			"template of no label":    {uefi("label:x"), fault.NotFound, "nvram_template"},
			"template of no blob":     {uefi(nobody), fault.NotFound, nobody},
			"base of no label":        {spec(instance.DiskSpec{Base: "label:x"}), fault.NotFound, "label:x"},
			"base of no snapshot":     {spec(instance.DiskSpec{Base: "sf://snapshot/" + nobody}), fault.NotFound, nobody},
			"base of no blob":         {spec(instance.DiskSpec{Base: "sf://blob/" + nobody}), fault.NotFound, nobody},
			"base of no upload":       {spec(instance.DiskSpec{Base: "sf://upload/system/x"}), fault.NotFound, "sf://upload/system/x"},
			"base of no disk":         {spec(instance.DiskSpec{Base: "sf://instance/" + nobody + "/vda"}), fault.NotFound, nobody},
			"base of nothing we know": {spec(instance.DiskSpec{Base: "sf://moon/x"}), fault.Invalid, "sf://moon/x"},
		} {
			_, err := w.Instances.Create(t.Context(), c.spec)
			require.ErrorIs(t, err, c.kind, name)
			require.ErrorContains(t, err, c.text, name)
			_, err = w.Instances.DryRun(t.Context(), c.spec)
			require.ErrorIs(t, err, c.kind, name)
		}
		_, err := w.Instances.DryRun(t.Context(), spec(instance.DiskSpec{Base: "sf://blob/" + image}))
		require.NoError(t, err)
	})
}

func TestTheSizeOfABaseCountsAndBounds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		golden := w.made(t, spec(instance.DiskSpec{SizeGiB: 3}))
		taken := w.snapshot(t, golden.ID, instance.SnapshotRequest{})
		w.deleted(t, golden.ID)
		base := "sf://blob/" + taken[0].Blob
		_, err := w.Instances.Create(t.Context(), spec(instance.DiskSpec{SizeGiB: 1}, instance.DiskSpec{Base: base, SizeGiB: 2}))
		require.ErrorIs(t, err, fault.Invalid)
		require.ErrorContains(t, err, "disk 1: size is 2 GiB and its base")
		require.ErrorContains(t, err, "make it 3 GiB or more")
		i := w.made(t, spec(instance.DiskSpec{Base: base}))
		require.Equal(t, "1 vcpus 64 MiB 3 GiB 1 instances", capacity(t, w.Store, "n1"))
		w.deleted(t, i.ID)
		require.Equal(t, "0 vcpus 0 MiB 0 GiB 0 instances", capacity(t, w.Store, "n1"))
	})
}

func TestABaseStaysFromTheCreateOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		golden := w.made(t, spec())
		taken := w.snapshot(t, golden.ID, instance.SnapshotRequest{})
		hangs := w.hang("hypervisor.MakeDisk")
		id := w.create(t, spec(instance.DiskSpec{Base: taken[0].SourceURL}))
		<-hangs
		_, err := w.Artifacts.Delete(t.Context(), taken[0].Artifact)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.True(t, w.Blobs.Held(taken[0].Blob))
		w.deleted(t, id)
		w.calm(t)
		require.False(t, w.Blobs.Held(taken[0].Blob))
	})
}

func TestACDROMOfADiskShowsTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		thin := true
		golden := w.made(t, spec())
		w.writes(t, golden.ID, "beneath")
		i := w.made(t, spec(instance.DiskSpec{Base: w.snapshot(t, golden.ID, instance.SnapshotRequest{})[0].SourceURL}))
		w.writes(t, i.ID, "above")
		taken := w.snapshot(t, i.ID, instance.SnapshotRequest{Thin: &thin})
		reader := w.made(t, spec(instance.DiskSpec{SizeGiB: 1}, instance.DiskSpec{Base: taken[0].SourceURL, Type: "cdrom"}))
		require.True(t, reader.Resolved[2].CDROM)
		text := w.reads(t, reader.ID, reader.Resolved[2].Device)
		require.Contains(t, text, "beneath", "not the file, which names its base by a path of this host")
		require.Contains(t, text, "above")
	})
}

func TestOthersDisksAreNoBase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := one(t)
		for _, name := range []string{"demo", "other"} {
			_, err := w.Namespaces.Create(t.Context(), name, "", "")
			require.NoError(t, err)
		}
		s := spec()
		s.Namespace = "demo"
		golden := w.made(t, s)
		taken := w.snapshot(t, golden.ID, instance.SnapshotRequest{})
		for caller, kind := range map[string]fault.Kind{"demo": "", "other": fault.NotFound, "system": ""} {
			s := spec(instance.DiskSpec{Base: taken[0].SourceURL})
			s.Namespace, s.Caller = "other", caller
			_, err := w.Instances.DryRun(context.WithoutCancel(t.Context()), s)
			require.Equal(t, kind, kindOf(err), caller)
		}
	})
}

func kindOf(err error) fault.Kind {
	if err == nil {
		return ""
	}
	return fault.KindOf(err)
}
