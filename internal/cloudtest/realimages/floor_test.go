package realimages_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
	"github.com/shakenfist/shakenfist/internal/guestimage"
	"github.com/shakenfist/shakenfist/internal/hostdiff"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

// floorMiB is what a daemon on a small disk keeps free, in MiB.
const floorMiB = 64

// roomy is how large its disk is at first: an instance of the least size fits.
const roomy = "2g"

func TestASmallDiskFillsUp(t *testing.T) { fillsUp(t) }

// fillsUp has a daemon on a small disk run out of room in every way in which content comes, and get room again.
func fillsUp(t *testing.T) {
	t.Helper()
	s := newSmall(t)
	defer s.close(t)
	ctx := cloudtest.Bounded(t, 5*time.Minute)
	p := s.Start(ctx, t, cloudtest.Point{})
	defer p.SayWhenFailed(t)
	s.c = p.Client
	i, err := cloudtest.Up(ctx, s.c, s.Image())
	require.NoError(t, err)
	_, err = cloudtest.Console(ctx, s.c, i.UUID, "TINY-READY")
	require.NoError(t, err)
	before := s.contents(t)

	s.fill(t, 6)
	urls := []string{s.Image() + "?another", s.chunked.URL + "/disk.qcow2"}
	for _, url := range urls {
		s.fetchFails(ctx, t, url)
	}
	sent := s.uploadFails(ctx, t)
	s.snapshotFails(ctx, t, i.UUID)
	require.Eventually(t, func() bool { return slices.Equal(before, s.contents(t)) }, 10*time.Second, 10*time.Millisecond,
		"nothing of it is left, and the guest's disk is no longer held") // the daemon does that after it has said how it ended
	_, err = p.Client.GetInstance(ctx, i.UUID) // all else goes on
	require.NoError(t, err)

	s.empty(t)
	for _, url := range urls {
		s.fetchWorks(ctx, t, url)
	}
	s.uploadWorks(ctx, t, sent)
	s.snapshotWorks(ctx, t, i.UUID)
	cloudtest.GoesCleanly(ctx, t, p.Client, s.Real)
	uploads, err := filepath.Glob(filepath.Join(s.State(), "uploads", "*"))
	require.NoError(t, err)
	require.Empty(t, uploads)
	p.Stop()
}

// small is a world on a small disk.
type small struct {
	*cloudtest.Real
	c       *client.Client
	disk    string           // where the disk is mounted
	chunked *httptest.Server // an image whose size it does not say
}

func newSmall(t *testing.T) *small {
	t.Helper()
	disk := filepath.Join(pretendhost.Inside(t), "small")
	image, err := os.ReadFile(guestimage.Tiny(t))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(disk, 0o755)) // guests run as another user
	require.NoError(t, syscall.Mount("small", disk, "tmpfs", 0, "mode=755,size="+roomy))
	s := &small{disk: disk, chunked: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for part := image; len(part) > 0; part = part[min(1<<20, len(part)):] {
			_, _ = w.Write(part[:min(1<<20, len(part))])
			_ = http.NewResponseController(w).Flush()
		}
	}))}
	s.Real = cloudtest.NewReal(t, disk, guestimage.Tiny(t), hostdiff.Options{OwnOnly: true})
	s.Env = []string{"SHAKENFIST_MINIMUM_FREE_DISK=0.0625"}
	return s
}

func (s *small) close(t *testing.T) {
	t.Helper()
	s.chunked.Close()
	s.Close(t)
	require.NoError(t, syscall.Unmount(s.disk, syscall.MNT_DETACH))
	require.NoError(t, os.Remove(s.disk))
}

// fill makes the disk so small that only so many MiB more may be written.
func (s *small) fill(t *testing.T, mib int64) {
	t.Helper()
	var f syscall.Statfs_t
	require.NoError(t, syscall.Statfs(s.disk, &f))
	used := (int64(f.Blocks) - int64(f.Bfree)) * f.Bsize
	s.resize(t, strconv.FormatInt(used+(floorMiB+mib)<<20, 10))
}

// empty makes it as large as it was.
func (s *small) empty(t *testing.T) { t.Helper(); s.resize(t, roomy) }

func (s *small) resize(t *testing.T, size string) {
	t.Helper()
	require.NoError(t, syscall.Mount("small", s.disk, "tmpfs", syscall.MS_REMOUNT, "size="+size))
}

// contents are the files in which content is, whole or not.
func (s *small) contents(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"blobs/*/*", "image_cache/*", "instances/*/*"} {
		found, err := filepath.Glob(filepath.Join(s.State(), pattern))
		require.NoError(t, err)
		files = append(files, found...)
	}
	return files
}

func (s *small) fetchFails(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	a, err := s.c.CreateArtifact(ctx, api.CreateArtifact{URL: url})
	require.NoError(t, err)
	a, err = s.c.WaitArtifact(ctx, a.UUID, nil)
	require.NoError(t, err)
	require.Equal(t, api.StateError, a.State)
	events, err := s.c.ArtifactEvents(ctx, a.UUID, api.EventQuery{})
	require.NoError(t, err)
	said := ""
	for _, e := range events {
		if text, ok := e.Extra["error"].(string); ok {
			said += text + "\n"
		}
	}
	require.Contains(t, said, "no room")
	t.Logf("proof: a small disk: fetch: %s", strings.TrimSpace(said))
}

func (s *small) fetchWorks(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	a, err := s.c.CreateArtifact(ctx, api.CreateArtifact{URL: url})
	require.NoError(t, err)
	a, err = s.c.WaitArtifact(ctx, a.UUID, func(api.Artifact) {})
	require.NoError(t, err)
	require.Equal(t, api.StateCreated, a.State)
}

// part is what an upload sends at once.
func part() []byte { return bytes.Repeat([]byte("what fills a disk\n"), 64<<10) }

// uploadFails sends parts until there is no more room, and returns the upload.
func (s *small) uploadFails(ctx context.Context, t *testing.T) api.Upload {
	t.Helper()
	u, err := s.c.CreateUpload(ctx)
	require.NoError(t, err)
	sent := 0
	for err == nil {
		sent++
		require.Less(t, sent, 16)
		_, err = s.c.AppendUpload(ctx, u.UUID, part())
	}
	require.ErrorIs(t, err, fault.Exhausted)
	require.ErrorContains(t, err, "no room")
	t.Logf("proof: a small disk: upload, part %d: %s", sent, fault.Text(err))
	require.NoError(t, s.c.TruncateUpload(ctx, u.UUID, 0))
	return u
}

func (s *small) uploadWorks(ctx context.Context, t *testing.T, u api.Upload) {
	t.Helper()
	for n := range 16 {
		total, err := s.c.AppendUpload(ctx, u.UUID, part())
		require.NoError(t, err)
		require.EqualValues(t, (n+1)*len(part()), total)
	}
	other := "other"
	_, err := s.c.UploadArtifact(ctx, "large", api.UploadArtifact{UploadUUID: &u.UUID, Type: &other})
	require.NoError(t, err)
}

func (s *small) snapshotFails(ctx context.Context, t *testing.T, id string) {
	t.Helper()
	_, err := s.c.SnapshotInstance(ctx, id, api.TakeSnapshot{Flatten: true})
	require.NoError(t, err)
	said := ""
	for said == "" {
		list, err := s.c.InstanceSnapshots(ctx, id)
		require.NoError(t, err)
		for _, l := range list {
			require.NotEqual(t, api.StateCreated, l.State)
			said = l.ErrorMessage
		}
		time.Sleep(10 * time.Millisecond) // until the process has tried
	}
	require.Contains(t, said, "no room")
	t.Logf("proof: a small disk: snapshot: %s", said)
}

func (s *small) snapshotWorks(ctx context.Context, t *testing.T, id string) {
	t.Helper()
	taken, err := s.c.SnapshotInstance(ctx, id, api.TakeSnapshot{Flatten: true})
	require.NoError(t, err)
	for {
		list, err := s.c.InstanceSnapshots(ctx, id)
		require.NoError(t, err)
		for _, l := range list {
			if l.BlobUUID == taken["vda"].Blob && l.State == api.StateCreated {
				return
			}
		}
		require.NoError(t, ctx.Err())
		time.Sleep(10 * time.Millisecond) // until it is made
	}
}
