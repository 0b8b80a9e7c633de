package blob

import (
	"context"
	"errors"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"syscall"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// copying ends the name of a copy of a guest's disk that is to become content.
const copying = ".copy"

// CopyPath returns where a copy of a disk is written that is to become the content of a blob with that ID, by IngestFile.
// Its folder is there if it can be made. Whatever is there is removed by the sweep, unless the ID is held.
func (m *Manager) CopyPath(id string) string {
	if err := m.folder(id); err != nil {
		m.Log.Debug("the folder of a copy cannot be made; whoever writes there will say why", slog.Any("error", err))
	}
	return m.Path(id) + copying
}

// IngestFile stores the file at path as content, Content.Reader aside: the file gets a second name where it is on the same
// disk as contents are, and is copied otherwise. Nobody may change it from now on; whoever made it removes it afterwards. A
// packed image is unpacked into a file of its own. It fails as Ingest does, with fault.NotFound if there is no such file,
// and with fault.Conflict if somebody changes it meanwhile.
func (m *Manager) IngestFile(ctx context.Context, path string, c Content) (*Stored, error) {
	f, info, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	head := make([]byte, packingBytes)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, diskError(path, err)
	}
	if _, packed := packingOf(head[:n]); packed && c.Kind == Image {
		c.Reader = f
		return m.Ingest(ctx, c)
	}
	s, err := m.reserve(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := m.link(ctx, f, info, c, s); err != nil {
		s.Done()
		if errors.Is(err, syscall.EXDEV) {
			c.Reader = io.NewSectionReader(f, 0, info.Size())
			return m.Ingest(ctx, c)
		}
		return nil, err
	}
	return s, nil
}

// openPlain opens what must be a file, and no link to one.
func openPlain(path string) (*os.File, fs.FileInfo, error) {
	const op = "blob.IngestFile"
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fault.Because(op, fault.NotFound, path, err, "there is no file %s", path)
	}
	if err != nil {
		return nil, nil, diskError(path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.New(op, fault.Invalid, path, "%s is no file", path)
	}
	if err != nil {
		_ = f.Close() // only read
		return nil, nil, fault.Wrap(op, path, err)
	}
	return f, info, nil
}

// link checks the content of f and gives it the name of s.
func (m *Manager) link(ctx context.Context, f *os.File, info fs.FileInfo, c Content, s *Stored) error {
	if c.Size >= 0 && info.Size() != c.Size {
		return fault.New("blob.IngestFile", fault.Unavailable, s.ID, "got %d bytes of %d", info.Size(), c.Size)
	}
	var from io.Reader = ctxReader{ctx, f}
	if c.gently {
		from = &gentleReader{ctx: ctx, file: f, rate: m.ReadRate}
	}
	sent, err := s.read(from, c.Sum)
	if err != nil {
		return err
	}
	if err := c.Sum.compare(s.ID, sent); err != nil {
		return err
	}
	if s.Facts, err = m.facts(f, s.Size, c); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o640), f.Sync()); err != nil {
		return diskError(f.Name(), err)
	}
	after, err := f.Stat()
	if err != nil {
		return diskError(f.Name(), err)
	}
	if s.Size != info.Size() || after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()) {
		return fault.New("blob.IngestFile", fault.Conflict, s.ID, "the file was changed while it was read; try again")
	}
	if err := m.folder(s.ID); err != nil {
		return err
	}
	path := m.Path(s.ID)
	return step.Do(ctx, "link blob", s.ID, func() error { return link(f.Name(), path) })
}

// read makes the checksums of what comes from a file, and returns that by which its source knows it.
func (s *Stored) read(from io.Reader, claimed Sum) (string, error) {
	h := newHashes()
	var users []io.Writer
	for _, user := range h.all() {
		users = append(users, user)
	}
	var claim hash.Hash
	if claimed.Algorithm == md5Sum {
		claim, _ = newHash(md5Sum)
		users = append(users, claim)
	}
	to := newFlow(math.MaxInt64, users...)
	_, err := to.ReadFrom(from)
	if err = errors.Join(err, to.end()); err != nil {
		return "", err
	}
	s.Size, s.Checksums = to.size, h.sums()
	if claim != nil {
		return sumOf(claim), nil
	}
	return s.By(claimed.Algorithm), nil
}

// link gives a file the name of content as well. What has that name is left over from an attempt that was cut off.
func link(from, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskError(path, err)
	}
	if err := os.Link(from, path); err != nil {
		return diskError(path, err)
	}
	return syncName(path)
}
