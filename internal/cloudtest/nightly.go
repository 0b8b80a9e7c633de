package cloudtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
)

// ShortIdle is how many seconds the process of a Nightly keeps a bootable image that no instance uses.
const ShortIdle = 2

// aNight is what one night made.
type aNight struct {
	blob  string // what was labelled
	index int    // of the label's version
	born  string // instance that booted from the label
}

// Nightly has an image tested every night: a guest that booted from it is changed, copied while it runs, and labelled, and
// the next guest boots from the label and sees what all before it wrote. The label keeps so many versions; the nights are one
// more. thin says which copies are taken. Whatever is dropped has its file for as long as an instance or a copy on top of it
// needs it, and no longer. At the end nothing is left.
func (s Stage) Nightly(ctx context.Context, t testing.TB, keeps int, thin bool) {
	t.Helper()
	image := s.fetch(ctx, t)
	first := s.create(ctx, t, Tiny("night0", s.World.Image(), ""))
	last, beneath := first.UUID, image
	var nights []aNight
	for len(nights) <= keeps {
		n := s.night(ctx, t, len(nights)+1, keeps, last, thin)
		b := s.there(ctx, t, n.blob)
		require.Equal(t, thin, b.DependsOn != nil)
		if thin {
			require.Equal(t, beneath, *b.DependsOn)
		}
		nights, last, beneath = append(nights, n), n.born, n.blob
	}
	s.remove(ctx, t, first.UUID)
	s.oldGoes(ctx, t, nights, thin)
	s.lastGoes(ctx, t, nights, thin)
	s.cacheGoes(ctx, t, image)
	GoesCleanly(ctx, t, s.Client, s.World)
}

// fetch caches the world's image, and returns its blob.
func (s Stage) fetch(ctx context.Context, t testing.TB) string {
	t.Helper()
	a, err := s.Client.CreateArtifact(ctx, api.CreateArtifact{URL: s.World.Image()})
	require.NoError(t, err)
	a, err = s.Client.WaitArtifact(ctx, a.UUID, nil)
	require.NoError(t, err)
	require.Equal(t, api.StateCreated, a.State)
	s.there(ctx, t, a.BlobUUID)
	return a.BlobUUID
}

func line(n int) string { return fmt.Sprintf("night %d", n) }

func linesUpTo(n int) (all []string) {
	for k := range n {
		all = append(all, line(k+1))
	}
	return all
}

// night changes what runs, copies it, labels the copy, and boots from the label.
func (s Stage) night(ctx context.Context, t testing.TB, n, keeps int, runs string, thin bool) aNight {
	t.Helper()
	require.NoError(t, s.Guests.Write(ctx, runs, "vda", line(n)))
	taken := s.take(ctx, t, runs, api.TakeSnapshot{Thin: thin, Flatten: !thin})
	require.Len(t, taken, 1)
	blob := taken["vda"].Blob
	label, err := s.Client.UpdateLabel(ctx, "nightly", api.UpdateLabel{BlobUUID: blob, MaxVersions: &keeps})
	require.NoError(t, err)
	require.Equal(t, blob, label.BlobUUID)
	_, err = s.Client.DeleteArtifact(ctx, taken["vda"].Artifact) // from here on it is the label that keeps it
	require.NoError(t, err)
	// Whatever is written now is not in the copy.
	require.NoError(t, s.Guests.Write(ctx, runs, "vda", "too late"))
	born := s.create(ctx, t, Tiny(fmt.Sprintf("night%d", n), "label:nightly", ""))
	require.Equal(t, blob, born.DiskSpec[0].BlobUUID)
	text, err := s.Guests.Read(ctx, born.UUID, "vda")
	require.NoError(t, err)
	for _, l := range linesUpTo(n) {
		require.Contains(t, text, l)
	}
	if n == 1 {
		require.NotContains(t, text, "too late")
	}
	return aNight{blob, label.Index, born.UUID}
}

// oldGoes sees the label drop its oldest version, and drops all others but the last: each file stays until the instance that
// uses it has gone, and where copies are thin also for the one on top.
func (s Stage) oldGoes(ctx context.Context, t testing.TB, nights []aNight, thin bool) {
	t.Helper()
	label, err := s.Client.GetLabel(ctx, "nightly")
	require.NoError(t, err)
	require.Len(t, label.Blobs, len(nights)-1)
	require.NotContains(t, label.Blobs, nights[0].index, "the oldest version was dropped")
	old := nights[:len(nights)-1]
	for n, night := range old {
		if n > 0 {
			_, err := s.Client.DeleteArtifactVersion(ctx, label.UUID, night.index)
			require.NoError(t, err)
		}
		require.Contains(t, s.there(ctx, t, night.blob).Instances, night.born)
		s.sees(ctx, t, night.born, "vda", linesUpTo(n+1)...)
		require.FileExists(t, s.cached(night.blob))
		s.remove(ctx, t, night.born)
		if thin {
			require.Contains(t, s.there(ctx, t, night.blob).Instances, nights[len(nights)-1].born, "by way of what lies on top")
			continue
		}
		s.gone(ctx, t, s.content(night.blob), s.cached(night.blob))
	}
}

// lastGoes boots once more from what is left of the label, and deletes the label, and after it the instances.
func (s Stage) lastGoes(ctx context.Context, t testing.TB, nights []aNight, thin bool) {
	t.Helper()
	last := nights[len(nights)-1]
	top := s.create(ctx, t, Tiny("top", "label:nightly", ""))
	s.sees(ctx, t, top.UUID, "vda", linesUpTo(len(nights))...)
	_, err := s.Client.DeleteLabel(ctx, "nightly")
	require.NoError(t, err)
	s.remove(ctx, t, last.born)
	needed := []aNight{last}
	if thin {
		needed = nights
	}
	var files []string
	for _, n := range needed {
		s.there(ctx, t, n.blob)
		files = append(files, s.content(n.blob), s.cached(n.blob))
	}
	s.sees(ctx, t, top.UUID, "vda", linesUpTo(len(nights))...)
	s.filesAreBlobs(ctx, t)
	s.remove(ctx, t, top.UUID)
	s.gone(ctx, t, files...)
	s.filesAreBlobs(ctx, t)
}

// cacheGoes sees the bootable image of what was fetched go when nobody used it for long, and come again when somebody does.
func (s Stage) cacheGoes(ctx context.Context, t testing.TB, image string) {
	t.Helper()
	s.gone(ctx, t, s.cached(image))
	s.there(ctx, t, image)
	again := s.create(ctx, t, Tiny("again", s.World.Image(), ""))
	require.FileExists(t, s.cached(image))
	s.remove(ctx, t, again.UUID)
}
