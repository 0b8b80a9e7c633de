package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// Stage is a process of a world on which the life of images is played: its API, the inside of its guests, and what it keeps
// on disk.
type Stage struct {
	World  World
	Client *client.Client
	Guests Guests
	Dir    string // of what the process keeps
}

// Stage returns the stage of a process of this world.
func (s *Simulated) Stage(p *Process) Stage {
	return Stage{World: s, Client: p.Client, Guests: pretended{s.Parts.Hypervisor}, Dir: s.dir}
}

// Stage returns the stage of a daemon of this world, whose guests are tiny ones.
func (w *Real) Stage(p *Process) Stage {
	return Stage{World: w, Client: p.Client, Guests: typed{p.Client}, Dir: w.State()}
}

// content is the file of a blob.
func (s Stage) content(id string) string { return filepath.Join(s.Dir, "blobs", id[:2], id) }

// cached is the file that guests boot from whose disks began as a blob.
func (s Stage) cached(id string) string { return filepath.Join(s.Dir, "image_cache", id+".qcow2") }

// there insists that a blob lives and has its file.
func (s Stage) there(ctx context.Context, t testing.TB, id string) api.Blob {
	t.Helper()
	b, err := s.Client.GetBlob(ctx, id)
	require.NoError(t, err)
	require.Equal(t, api.StateCreated, b.State)
	require.Positive(t, b.ReferenceCount)
	require.FileExists(t, s.content(id))
	return b
}

// gone waits until files have gone.
func (s Stage) gone(ctx context.Context, t testing.TB, paths ...string) {
	t.Helper()
	patience, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, path := range paths {
		err := until(patience, func() (bool, error) {
			_, err := os.Lstat(path)
			return errors.Is(err, fs.ErrNotExist), nil
		})
		require.NoError(t, err, "%s is left", path)
	}
}

// create makes an instance, and returns it when it is made.
func (s Stage) create(ctx context.Context, t testing.TB, r api.CreateInstance) api.Instance {
	t.Helper()
	i, err := s.Client.CreateInstance(ctx, r)
	require.NoError(t, err)
	i, err = s.Client.WaitInstance(ctx, i.UUID, nil)
	require.NoError(t, err)
	require.Equal(t, api.StateCreated, i.State, "%s: %s", r.Name, message(i))
	return i
}

func message(i api.Instance) string {
	if i.ErrorMessage == nil {
		return ""
	}
	return *i.ErrorMessage
}

// remove deletes an instance, and returns when it has gone.
func (s Stage) remove(ctx context.Context, t testing.TB, id string) {
	t.Helper()
	_, err := s.Client.DeleteInstance(ctx, id)
	require.NoError(t, err)
	_, err = s.Client.WaitInstanceDeleted(ctx, id, nil)
	require.NoError(t, err)
}

// take takes a snapshot, and returns the copies by device when they are made.
func (s Stage) take(ctx context.Context, t testing.TB, id string, r api.TakeSnapshot) map[string]api.TakenSnapshot {
	t.Helper()
	taken, err := s.Client.SnapshotInstance(ctx, id, r)
	require.NoError(t, err)
	for _, copied := range taken {
		err := until(ctx, func() (bool, error) {
			list, err := s.Client.InstanceSnapshots(ctx, id)
			at := slices.IndexFunc(list, func(c api.Snapshot) bool { return c.BlobUUID == copied.Blob })
			switch {
			case err != nil || at < 0:
				return false, err
			case list[at].ErrorMessage != "":
				return false, fmt.Errorf("the snapshot was not taken: %s", list[at].ErrorMessage)
			}
			return list[at].State == api.StateCreated, nil
		})
		require.NoError(t, err)
	}
	return taken
}

// sees insists that a guest sees these lines on its disk, all of them.
func (s Stage) sees(ctx context.Context, t testing.TB, id, device string, lines ...string) {
	t.Helper()
	text, err := s.Guests.Read(ctx, id, device)
	require.NoError(t, err)
	for _, line := range lines {
		require.Contains(t, text, line)
	}
}

// filesAreBlobs waits until the files of content are those of the blobs that live, and no others.
func (s Stage) filesAreBlobs(ctx context.Context, t testing.TB) {
	t.Helper()
	patience, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var files, blobs []string
	_ = until(patience, func() (bool, error) {
		all, err := s.Client.ListBlobs(ctx, "")
		require.NoError(t, err)
		paths, err := filepath.Glob(filepath.Join(s.Dir, "blobs", "*", "*"))
		require.NoError(t, err)
		files, blobs = nil, nil
		for _, path := range paths {
			files = append(files, filepath.Base(path))
		}
		for _, b := range all {
			blobs = append(blobs, b.UUID)
		}
		slices.Sort(files)
		slices.Sort(blobs)
		return slices.Equal(files, blobs), nil
	})
	require.Equal(t, blobs, files)
}
