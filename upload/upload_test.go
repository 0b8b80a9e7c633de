package upload_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/upload"
)

const nothing = "5a00d6f3-0000-4000-8000-000000000000"

func TestPiecesBecomeABlob(t *testing.T) {
	inBubble(t, func(n *node) {
		content := disk(64)
		u, err := n.uploads.Create(n.ctx, "tenant")
		require.NoError(t, err)
		require.Equal(t, upload.Upload{ID: u.ID, Node: "node-1", Namespace: "tenant", Created: u.Created, State: upload.Created}, u)
		n.append(u.ID, nil, 0)
		n.append(u.ID, content[:1000], 1000)
		n.append(strings.ToUpper(u.ID), content[1000:1001], 1001)
		n.append(u.ID, content[1001:], len(content))
		got, err := n.uploads.Get(n.ctx, u.ID)
		require.NoError(t, err)
		require.Equal(t, u.Created.UnixNano(), got.Created.UnixNano())
		id, err := n.finish(n.ctx, u.ID, blob.Image)
		require.NoError(t, err)
		f, err := n.blobs.Open(n.ctx, id)
		require.NoError(t, err)
		defer f.Close() //nolint:errcheck // only read
		kept, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, content, kept)

		synctest.Wait()
		require.Empty(t, n.files("uploads"))
		require.Empty(t, n.records())
		_, err = n.uploads.Get(n.ctx, u.ID)
		require.ErrorIs(t, err, fault.NotFound)
		require.Equal(t, []string{"create request", "made an artifact"}, n.messages(u.ID))
		time.Sleep(time.Minute)
		require.True(t, n.blobs.Held(id))
	})
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	inBubble(t, func(n *node) {
		for _, id := range []string{nothing, "", "x", "../" + nothing, strings.Repeat("x", 1<<16)} {
			_, err := n.uploads.Append(n.ctx, id, strings.NewReader("x"))
			require.ErrorIs(t, err, fault.NotFound)
			require.Contains(t, fault.Text(err), "upload not found")
			require.ErrorIs(t, n.uploads.Truncate(n.ctx, id, 0), fault.NotFound)
			_, _, _, err = n.uploads.Take(n.ctx, id, blob.Content{})
			require.ErrorIs(t, err, fault.NotFound)
		}
		require.Empty(t, n.files("uploads"))
	})
}

func TestTruncating(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun([]byte("0123456789"))
		for _, offset := range []int64{-1, 11, math.MaxInt64, math.MinInt64} {
			err := n.uploads.Truncate(n.ctx, id, offset)
			require.ErrorIs(t, err, fault.Invalid)
			require.Contains(t, fault.Text(err), "the upload has 10 bytes")
		}
		require.NoError(t, n.uploads.Truncate(n.ctx, id, 10))
		require.NoError(t, n.uploads.Truncate(n.ctx, id, 4))
		n.append(id, []byte("ABC"), 7)
		content, err := os.ReadFile(filepath.Join(n.dir, "uploads", id))
		require.NoError(t, err)
		require.Equal(t, "0123ABC", string(content))
		require.NoError(t, n.uploads.Truncate(n.ctx, id, 0))
		n.append(id, nil, 0)
	})
}

func TestWhatCameBeforeAFailureStays(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun([]byte("begin"))
		broken := io.MultiReader(strings.NewReader("-middle"), iotest.ErrReader(errors.New("the peer went away")))
		total, err := n.uploads.Append(n.ctx, id, broken)
		require.ErrorIs(t, err, fault.Unavailable)
		require.Contains(t, fault.Text(err), "broke off after 12 bytes")
		require.Equal(t, int64(12), total)
		n.append(id, []byte("-end"), 16)

		ctx, cancel := context.WithCancel(n.ctx)
		total, err = n.uploads.Append(ctx, id, io.MultiReader(ending{cancel}, strings.NewReader("?")))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, int64(17), total)
		n.append(id, nil, 17)
	})
}

// ending has one byte, and ends something when that is read.
type ending struct{ end func() }

func (e ending) Read(b []byte) (int, error) { e.end(); b[0] = '!'; return 1, nil }

func TestOneAtATime(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun(nil)
		r, w := io.Pipe()
		done := make(chan int64)
		go func() {
			total, err := n.uploads.Append(n.ctx, id, r)
			require.NoError(t, err)
			done <- total
		}()
		_, err := w.Write(disk(1))
		require.NoError(t, err)
		synctest.Wait()
		_, err = n.uploads.Append(n.ctx, id, strings.NewReader("x"))
		require.ErrorIs(t, err, fault.Conflict)
		require.ErrorIs(t, n.uploads.Truncate(n.ctx, id, 0), fault.Conflict)
		_, _, _, err = n.uploads.Take(n.ctx, id, blob.Content{})
		require.ErrorIs(t, err, fault.Conflict)
		time.Sleep(2 * upload.DefaultIdle)
		require.NoError(t, w.Close())
		require.Equal(t, int64(512), <-done, "it may take as long as it takes, and does not expire meanwhile")

		_, _, release, err := n.uploads.Take(n.ctx, id, blob.Content{})
		require.NoError(t, err)
		_, err = n.uploads.Append(n.ctx, id, strings.NewReader("x"))
		require.ErrorIs(t, err, fault.Conflict)
		_, _, _, err = n.uploads.Take(n.ctx, id, blob.Content{})
		require.ErrorIs(t, err, fault.Conflict)
		release()
		n.append(id, []byte("x"), 513)
	})
}

func TestLimits(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun(disk(2))
		_, err := n.uploads.Append(n.ctx, id, strings.NewReader("x"))
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), "more than the 1024 bytes")
		n.append(id, nil, 1024)
		n.begun(nil)
		_, err = n.uploads.Create(n.ctx, "tenant")
		require.ErrorIs(t, err, fault.Exhausted)
		require.Contains(t, fault.Text(err), `namespace "tenant" has 2 unfinished uploads, at most 2`)
		_, err = n.uploads.Create(n.ctx, "other")
		require.NoError(t, err)
	}, func(u *upload.Deps, _ *blob.Deps) { u.MaxSize, u.Most = 1024, 2 })
}

func TestAFullDiskFailsTheOneRequest(t *testing.T) {
	inBubble(t, func(n *node) {
		_, err := n.uploads.Create(n.ctx, "tenant")
		require.ErrorIs(t, err, fault.Exhausted)
		require.Contains(t, fault.Text(err), "stay reserved")
		require.Empty(t, n.files("uploads"))
		require.Empty(t, n.records())
	}, func(_ *upload.Deps, b *blob.Deps) { b.MinFree = 1 << 60 })
}

func TestRefusedContentStaysAnUpload(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun([]byte("this is no disk"))
		_, err := n.finish(n.ctx, id, blob.Image)
		require.ErrorIs(t, err, fault.Invalid)
		n.append(id, nil, 15)
		synctest.Wait()
		require.Empty(t, n.files("blobs"))
		b, err := n.finish(n.ctx, id, blob.Other)
		require.NoError(t, err)
		got, err := n.blobs.Get(n.ctx, b)
		require.NoError(t, err)
		require.Equal(t, blob.Other, got.Kind)
	})
}

func TestWhatIsNotCommittedCanBeTakenAgain(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun(disk(3))
		s, _, release, err := n.uploads.Take(n.ctx, id, blob.Content{})
		require.NoError(t, err)
		release()
		release()
		synctest.Wait()
		time.Sleep(2 * resync)
		require.NotContains(t, n.files("blobs"), s.ID, "nobody wants it")
		require.Equal(t, []string{id}, n.files("uploads"))
		_, err = n.finish(n.ctx, id, blob.Image)
		require.NoError(t, err)
	})
}

func TestUploadsExpire(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun([]byte("x"))
		time.Sleep(upload.DefaultIdle - time.Minute)
		n.append(id, nil, 1)
		n.append(id, []byte("y"), 2)
		time.Sleep(upload.DefaultIdle - time.Minute)
		n.append(id, nil, 2)
		before := n.store.Stats()
		time.Sleep(time.Minute - time.Second)
		require.Equal(t, before, n.store.Stats(), "whoever waits asks nothing")
		time.Sleep(2 * time.Second)
		_, err := n.uploads.Get(n.ctx, id)
		require.ErrorIs(t, err, fault.NotFound)
		require.Empty(t, n.files("uploads"))
		require.Equal(t, []string{"create request", "expired: nobody added to it"}, n.messages(id))
	})
}

func TestFilesAndRecordsWithoutEachOtherGo(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun([]byte("x"))
		folder := filepath.Join(n.dir, "uploads")
		require.NoError(t, os.WriteFile(filepath.Join(folder, nothing), []byte("x"), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "README"), []byte("x"), 0o600))
		require.NoError(t, os.Remove(filepath.Join(folder, id)))
		_, err := n.uploads.Append(n.ctx, id, strings.NewReader("x"))
		require.ErrorIs(t, err, fault.NotFound)
		require.Contains(t, fault.Text(err), "upload not found: its file on node node-1 is lost")
		_, _, _, err = n.uploads.Take(n.ctx, id, blob.Content{})
		require.ErrorIs(t, err, fault.NotFound)
		require.ErrorIs(t, n.uploads.Truncate(n.ctx, id, 0), fault.NotFound)
		time.Sleep(2 * resync)
		require.Equal(t, []string{"README"}, n.files("uploads"), "what is none of ours stays")
		require.Equal(t, []string{id}, n.records())
		time.Sleep(time.Hour)
		require.Empty(t, n.records())
		require.Equal(t, []string{"create request", "given up: its file is lost"}, n.messages(id))
	})
}

func TestUploadsToANodeThatWasDeletedEnd(t *testing.T) {
	inBubble(t, func(n *node) {
		mine := n.begun([]byte("x"))
		away := newWorldOf(n, "node-2")
		theirs := away.begun([]byte("y"))
		away.stop()
		require.NoError(t, n.view.Fresh(n.ctx))
		_, err := n.uploads.Append(n.ctx, theirs, strings.NewReader("x"))
		require.ErrorIs(t, err, fault.Unavailable)
		require.Contains(t, fault.Text(err), "is on node node-2")
		require.NoError(t, n.uploads.NodeDeleted(n.ctx, "node-2", store.Absent("o/node/node-2")))
		require.NoError(t, n.uploads.NodeDeleted(n.ctx, "node-2", store.Absent("o/node/node-2")))
		require.Equal(t, []string{mine}, n.records())
		require.Equal(t, []string{"create request", "lost with its node"}, n.messages(theirs))
	})
}

// newWorldOf starts another node on the same store.
func newWorldOf(n *node, name string) *node {
	n.t.Helper()
	w := &world{t: n.t, store: n.store, dir: n.t.TempDir()}
	return w.start(nil, func(u *upload.Deps, b *blob.Deps) { u.Node, b.Node = name, name })
}

func TestALargeUploadIsCheckedWhileTheCallerIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gate := make(chan struct{})
		n := w.start(slow(gate))
		id := n.begun(disk(5))
		for range 3 {
			_, _, _, err := n.uploads.Take(n.ctx, id, blob.Content{})
			require.ErrorIs(t, err, fault.NotReady)
			require.Contains(t, fault.Text(err), "still being checked")
		}
		_, _, _, err := n.uploads.Take(n.ctx, id, blob.Content{Kind: blob.Other})
		require.ErrorIs(t, err, fault.Conflict)
		_, err = n.uploads.Append(n.ctx, id, bytes.NewReader(disk(1)))
		require.ErrorIs(t, err, fault.Conflict)
		close(gate)
		time.Sleep(time.Minute)
		begun := time.Now()
		s, _, release, err := n.uploads.Take(n.ctx, id, blob.Content{})
		require.NoError(t, err)
		require.Equal(t, begun, time.Now(), "it was done meanwhile")
		release()

		// Nobody comes back.
		ctx, cancel := context.WithCancel(n.ctx)
		gone, _, _, err := n.uploads.Take(ctx, id, blob.Content{})
		require.NoError(t, err)
		require.NotEqual(t, s.ID, gone.ID)
		cancel()
	})
}

func TestWhatNobodyCameBackForIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		n := newWorld(t).start(slow(gate))
		id := n.begun(disk(5))
		_, _, _, err := n.uploads.Take(n.ctx, id, blob.Content{})
		require.ErrorIs(t, err, fault.NotReady)
		close(gate)
		synctest.Wait()
		require.Len(t, n.files("blobs"), 1)
		time.Sleep(15 * time.Minute)
		require.Empty(t, n.files("blobs"))
		n.append(id, nil, 5*512)
		_, err = n.finish(n.ctx, id, blob.Image)
		require.NoError(t, err)
	})
}

func TestChangingAnUploadChangesNoContentThatItRepaired(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(n *node, id string) error{
		"append": func(n *node, id string) error {
			_, err := n.uploads.Append(n.ctx, id, strings.NewReader("x"))
			return err
		},
		"truncate": func(n *node, id string) error { return n.uploads.Truncate(n.ctx, id, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(n *node) {
				good := n.begun(disk(3))
				kept, err := n.finish(n.ctx, good, blob.Image)
				require.NoError(t, err)
				require.NoError(t, os.Truncate(n.blobs.Path(kept), 512))
				time.Sleep(2 * resync)
				require.False(t, n.blobs.Held(kept))

				id := n.begun(disk(3))
				s, _, release, err := n.uploads.Take(n.ctx, id, blob.Content{})
				require.NoError(t, err)
				repaired, err := n.blobs.Repair(n.ctx, s)
				require.NoError(t, err)
				require.Equal(t, 1, repaired)
				release() // and no artifact came of it
				require.NoError(t, change(n, id))
				time.Sleep(2 * resync)
				content, err := os.ReadFile(n.blobs.Path(kept))
				require.NoError(t, err)
				require.Equal(t, disk(3), content)
				require.True(t, n.blobs.Held(kept))
				require.Equal(t, []string{id}, n.files("uploads"))
			})
		})
	}
}

func TestAnUploadIsNotAddedToOnceItIsContent(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun(disk(3))
		s, _, release, err := n.uploads.Take(n.ctx, id, blob.Content{})
		require.NoError(t, err)
		tx := view.Txn{Name: "an artifact of it", Ref: id}
		require.NoError(t, n.blobs.Record(n.ctx, &tx, s, version(id)))
		_, err = n.view.Commit(n.ctx, tx) // the upload stays, as to one who did not hear of its end
		require.NoError(t, err)
		release()
		n.append(id, []byte("x"), 3*512+1)
		content, err := os.ReadFile(n.blobs.Path(s.ID))
		require.NoError(t, err)
		require.Equal(t, disk(3), content)
	})
}

func TestACopyThatWasCutOffGoes(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun([]byte("x"))
		for _, id := range []string{id, nothing} {
			require.NoError(t, os.WriteFile(filepath.Join(n.dir, "uploads", id+".partial"), []byte("x"), 0o600))
		}
		time.Sleep(2 * resync)
		require.Equal(t, []string{id}, n.files("uploads"))
	})
}

func TestAnImageIsNoLargerThanOneThatIsFetched(t *testing.T) {
	inBubble(t, func(n *node) {
		id := n.begun(disk(3))
		_, err := n.finish(n.ctx, id, blob.Image)
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), "IMAGE_MAX_SIZE")
		_, err = n.finish(n.ctx, id, blob.Other)
		require.NoError(t, err)
	}, func(_ *upload.Deps, b *blob.Deps) { b.Limits.Bytes = 1024 })
}
