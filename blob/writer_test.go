package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
)

// filesOf returns the files of a manager whose name begins with id.
func filesOf(t *testing.T, m *blob.Manager, id string) []string {
	t.Helper()
	names := []string{}
	require.NoError(t, filepath.WalkDir(m.Dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasPrefix(e.Name(), id) {
			names = append(names, e.Name())
		}
		return err
	}))
	return names
}

func TestADownloadGoesOnWhereItBroke(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	raw := diskWithHole()
	for name, sent := range map[string][]byte{"raw": raw, "gzip": packGzip(t, raw), "zstd": packZstd(t, raw), "xz": packXZ(t, raw)} {
		m := idle(t)
		w, err := m.Begin(t.Context(), blob.Content{Size: int64(len(sent)), Sum: sums(sent)[0]})
		require.NoError(t, err)
		for w.Got() < int64(len(sent)) {
			rest := sent[w.Got():]
			n := min(len(rest), 1+random.IntN(10_000))
			if w.Got() < 10 {
				n = 1 // the head comes in pieces too
			}
			got, err := w.Write(rest[:n])
			require.NoError(t, err)
			require.Equal(t, n, got)
		}
		s, err := w.Finish(t.Context())
		require.NoError(t, err, name)
		w.Abort(t.Context())
		require.Equal(t, sums(raw)[3].Hex, s.SHA512)
		there, err := os.ReadFile(m.Path(s.ID))
		require.NoError(t, err)
		require.True(t, bytes.Equal(raw, there), "Abort after Finish does nothing")
		require.Equal(t, []string{s.ID}, filesOf(t, m, s.ID))
	}
}

func TestAWriterThatIsAbortedLeavesNothing(t *testing.T) {
	t.Parallel()
	raw := diskWithHole()
	for name, sent := range map[string][]byte{"raw": raw, "gzip": packGzip(t, raw), "nothing yet": nil} {
		m := idle(t)
		id := uuid.NewString()
		w, err := m.Begin(t.Context(), blob.Content{Size: -1, ID: id})
		require.NoError(t, err)
		_, err = w.Write(sent[:len(sent)/2])
		require.NoError(t, err)
		require.Equal(t, []string{id + ".partial"}, filesOf(t, m, id), name)
		w.Abort(t.Context())
		w.Abort(t.Context())
		require.Empty(t, filesOf(t, m, id))
		_, err = w.Write(sent)
		require.Error(t, err)
	}
}

func TestAnIngestThatIsCutOffSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	raw := diskWithHole()
	enough := errors.New("nobody waits any more")
	for name, sent := range map[string][]byte{"raw": raw, "gzip": packGzip(t, raw), "zstd": packZstd(t, raw)} {
		m := idle(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		got := 0
		_, err := m.Ingest(ctx, blob.Content{Size: -1, Reader: readerFunc(func(b []byte) (int, error) {
			n := copy(b[:1000], sent[got:])
			if got += n; got > len(sent)/2 {
				cancel(enough)
			}
			return n, nil
		})})
		require.Equal(t, enough, err, name)
		require.Empty(t, filesOf(t, m, ""))
	}
}

func TestMoreThanThereShouldBeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	w, err := idle(t).Begin(t.Context(), blob.Content{Size: 1024})
	require.NoError(t, err)
	defer w.Abort(t.Context())
	_, err = w.Write(image(3))
	require.ErrorIs(t, err, fault.Unavailable)
	require.Equal(t, "got 1536 bytes of 1024", fault.Text(err))
	_, again := w.Write(nil)
	require.Equal(t, err, again)
	_, again = w.Finish(t.Context())
	require.Equal(t, err, again)
}

func TestContentGetsTheIDItShallHave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := start(t)
		c := content(image(2))
		c.ID = uuid.NewString()
		s, err := k.Ingest(k.ctx, c)
		require.NoError(t, err)
		require.Equal(t, c.ID, s.ID)
		tx := view.Txn{Name: "record"}
		require.NoError(t, k.Record(k.ctx, &tx, s, owner))
		_, err = k.view.Commit(k.ctx, tx)
		require.NoError(t, err)
		s.Done()
		_, err = k.Ingest(k.ctx, c)
		require.ErrorIs(t, err, fault.Conflict, "a blob never changes")
		c.ID = "../../etc/passwd"
		_, err = k.Ingest(k.ctx, c)
		require.ErrorIs(t, err, fault.Invalid)
	})
}

func TestContentOfAnyKindIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	m := idle(t)
	for mime, b := range map[string][]byte{
		"text/plain; charset=utf-8": []byte("#!nothing\nhello"),
		"text/html; charset=utf-8":  []byte("<!DOCTYPE html><html>"),
		"application/x-gzip":        packGzip(t, image(1)),
		"image/png":                 []byte("\x89PNG\r\n\x1a\n0000"),
	} {
		s, err := m.Ingest(t.Context(), other(b))
		require.NoError(t, err)
		require.Equal(t, blob.Other, s.Kind)
		require.Equal(t, blob.Facts{MIMEType: mime}, s.Facts)
		there, err := os.ReadFile(m.Path(s.ID))
		require.NoError(t, err)
		require.Equal(t, b, there)
	}
}

func TestZeroesTakeNoRoom(t *testing.T) {
	t.Parallel()
	m := idle(t)
	b := make([]byte, 4<<20)
	copy(b[510:], "\x55\xaa")
	copy(b[2<<20+1000:], "in the middle, and not aligned to anything")
	for _, sent := range [][]byte{b, packGzip(t, b)} {
		s, err := m.Ingest(t.Context(), content(sent))
		require.NoError(t, err)
		info, err := os.Stat(m.Path(s.ID))
		require.NoError(t, err)
		require.EqualValues(t, len(b), info.Size())
		taken, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		require.LessOrEqual(t, taken.Blocks*512, int64(256<<10))
		there, err := os.ReadFile(m.Path(s.ID))
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, there))
		require.Equal(t, sums(b)[3].Hex, s.SHA512)
	}
}

// TestAProcessThatDiesWhileItStoresLeavesNothingForLong ends the process at every step of an ingest, before and after its
// effect, and looks what its successor leaves.
func TestAProcessThatDiesWhileItStoresLeavesNothingForLong(t *testing.T) {
	t.Parallel()
	killed := errors.New("killed")
	for _, at := range []step.Step{{Name: "rename blob"}, {Name: "rename blob", After: true}, {Name: "link blob"}, {Name: "link blob", After: true}} {
		synctest.Test(t, func(t *testing.T) {
			k := start(t)
			k.stop()
			dead := false
			ctx := step.WithHook(t.Context(), func(_ context.Context, s step.Step) error {
				if dead = dead || s.Name == at.Name && s.After == at.After; dead {
					return killed // and does nothing any more
				}
				return nil
			})
			c := content(image(2))
			var err error
			if at.Name == "link blob" {
				path := filepath.Join(t.TempDir(), "upload")
				require.NoError(t, os.WriteFile(path, image(2), 0o600))
				_, err = k.IngestFile(ctx, path, c)
			} else {
				_, err = k.Ingest(ctx, c)
			}
			require.ErrorIs(t, err, killed)
			if at.After || at.Name == "rename blob" {
				require.Len(t, k.files(), 1)
			}
			next := start(t, func(d *blob.Deps) { d.Dir = k.Dir })
			synctest.Wait()
			require.Empty(t, next.files())
		})
	}
}
