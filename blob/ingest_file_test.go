package blob_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/needs"
	qcow "github.com/shakenfist/shakenfist/internal/qcow2"
)

func fileOf(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

func TestAFileBecomesContentWithoutBeingCopied(t *testing.T) {
	t.Parallel()
	m, raw := idle(t), image(1000)
	path := fileOf(t, raw)
	for _, sum := range sums(raw) {
		id := uuid.NewString()
		s, err := m.IngestFile(t.Context(), path, blob.Content{Size: int64(len(raw)), ID: id, Sum: sum})
		require.NoError(t, err)
		require.Equal(t, id, s.ID)
		require.Equal(t, sums(raw)[3].Hex, s.SHA512)
		require.EqualValues(t, len(raw), s.Size)
		require.Equal(t, hypervisor.Raw, s.Facts.Format)
		mine, err := os.Stat(path)
		require.NoError(t, err)
		its, err := os.Stat(m.Path(id))
		require.NoError(t, err)
		require.True(t, os.SameFile(mine, its))
		require.Equal(t, os.FileMode(0o640), its.Mode())
	}
}

func TestAFileOfTheRightNameThatIsLeftOverIsReplaced(t *testing.T) {
	t.Parallel()
	m, id := idle(t), uuid.NewString()
	path := m.CopyPath(id)
	require.Equal(t, m.Path(id)+".copy", path)
	require.NoError(t, os.WriteFile(m.Path(id), []byte("of an attempt that was cut off"), 0o600))
	require.NoError(t, os.WriteFile(path, image(3), 0o600))
	for range 2 {
		s, err := m.IngestFile(t.Context(), path, blob.Content{Size: -1, ID: id})
		require.NoError(t, err)
		s.Done()
		there, err := os.ReadFile(m.Path(id))
		require.NoError(t, err)
		require.Equal(t, image(3), there)
	}
}

func TestAPackedFileIsUnpackedIntoAnother(t *testing.T) {
	t.Parallel()
	m, raw := idle(t), diskWithHole()
	packed := packXZ(t, raw)
	path := fileOf(t, packed)
	s, err := m.IngestFile(t.Context(), path, blob.Content{Size: int64(len(packed)), Sum: sums(packed)[1]})
	require.NoError(t, err)
	there, err := os.ReadFile(m.Path(s.ID))
	require.NoError(t, err)
	require.True(t, bytes.Equal(raw, there))

	s, err = m.IngestFile(t.Context(), path, blob.Content{Size: int64(len(packed)), Kind: blob.Other})
	require.NoError(t, err)
	require.EqualValues(t, len(packed), s.Size)
	require.Equal(t, sums(packed)[3].Hex, s.SHA512)
}

func TestFilesThatAreNoContent(t *testing.T) {
	t.Parallel()
	m := idle(t)
	good := fileOf(t, image(2))
	link := good + ".link"
	require.NoError(t, os.Symlink(good, link))
	pipe := good + ".pipe"
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for name, c := range map[string]struct {
		path    string
		content blob.Content
		is      error
		text    string
	}{
		"missing":         {good + ".missing", blob.Content{Size: -1}, fault.NotFound, "there is no file"},
		"symbolic link":   {link, blob.Content{Size: -1}, fault.Internal, link},
		"folder":          {filepath.Dir(good), blob.Content{Size: -1}, fault.Invalid, "is no file"},
		"pipe":            {pipe, blob.Content{Size: -1}, fault.Invalid, "is no file"},
		"another size":    {good, blob.Content{Size: 7}, fault.Unavailable, "got 1024 bytes of 7"},
		"another sum":     {good, blob.Content{Size: -1, Sum: sums(nil)[0]}, fault.Unavailable, "its md5 is"},
		"no image":        {fileOf(t, []byte("<html>")), blob.Content{Size: -1}, fault.Invalid, "HTML"},
		"not over a base": {good, blob.Content{Size: -1, Base: uuid.NewString()}, fault.Invalid, "not a QCOW2 image"},
	} {
		_, err := m.IngestFile(t.Context(), c.path, c.content)
		require.ErrorIs(t, err, c.is, name)
		require.Contains(t, fault.Text(err), c.text, name)
	}
	require.Empty(t, filesOf(t, m, ""))
}

func TestAThinCopyMustNameItsBase(t *testing.T) {
	t.Parallel()
	m := idle(t)
	base := uuid.NewString()
	path := fileOf(t, qcow.Empty(1<<30, base+".qcow2"))
	s, err := m.IngestFile(t.Context(), path, blob.Content{Size: -1, Base: base})
	require.NoError(t, err)
	require.Equal(t, base, s.Base)
	require.Equal(t, hypervisor.QCOW2, s.Facts.Format)
	require.EqualValues(t, 1<<30, s.Facts.VirtualSize)

	_, err = m.IngestFile(t.Context(), path, blob.Content{Size: -1, Base: uuid.NewString()})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = m.IngestFile(t.Context(), path, blob.Content{Size: -1})
	require.ErrorIs(t, err, fault.Invalid)
	require.Contains(t, fault.Text(err), "needs a backing file")
}

func TestAFileOfAnotherDiskIsCopied(t *testing.T) {
	t.Parallel()
	if err := needs.CheckRoot(); err != nil {
		needs.Missing(t, needs.Root, err)
	}
	m, dir, raw := idle(t), t.TempDir(), image(1000)
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "upload")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	s, err := m.IngestFile(t.Context(), path, blob.Content{Size: int64(len(raw))})
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	there, err := os.ReadFile(m.Path(s.ID))
	require.NoError(t, err)
	require.True(t, bytes.Equal(raw, there))
}
