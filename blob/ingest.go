package blob

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// partial ends the name of content that is not whole yet.
const partial = ".partial"

// Content is what Ingest stores.
type Content struct {
	Reader   io.Reader
	Size     int64     // bytes there must be; -1 if nobody knows
	Modified time.Time // when the source says it was changed; zero if it doesn't
}

// Stored is content that lies whole and checked on this node's disk. No blob is known to be there yet: Record does that.
type Stored struct {
	ID        string
	Size      int64 // bytes
	Modified  time.Time
	FetchedAt time.Time
	SHA512    string // lower-case hex
	Facts     Facts
	manager   *Manager
}

// Done ends the protection of the file: it stays if a commit made it a blob, and is removed otherwise. Whoever ingests
// calls it, also when the commit failed. Calling it twice is success.
func (s *Stored) Done() { s.manager.release(s.ID) }

// Ingest stores content as a file of this node. It fails with fault.Invalid if the header guard refuses it, with
// fault.Exhausted if the disk has no room, with fault.Unavailable if it is not of the size it should have, and with the
// reader's own error; then it leaves nothing behind.
func (m *Manager) Ingest(ctx context.Context, c Content) (*Stored, error) {
	s := &Stored{ID: uuid.NewString(), FetchedAt: time.Now(), Modified: c.Modified, manager: m}
	if s.Modified.IsZero() {
		s.Modified = s.FetchedAt
	}
	m.hold(s.ID)
	if err := m.ingest(ctx, c, s); err != nil {
		if left := m.discard(ctx, m.Path(s.ID)+partial); left != nil {
			m.Log.WarnContext(ctx, "a cut-off download stays until the next sweep", slog.String("blob", s.ID), slog.Any("error", left))
		}
		m.release(s.ID)
		return nil, err
	}
	return s, nil
}

func (m *Manager) ingest(ctx context.Context, c Content, s *Stored) error {
	path := m.Path(s.ID)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the hypervisor's user passes through
		return diskError(path, err)
	}
	if err := m.room(path, c.Size); err != nil {
		return err
	}
	f, err := os.OpenFile(path+partial, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640) //nolint:gosec // see above
	if err != nil {
		return diskError(path, err)
	}
	err = m.fill(ctx, f, c, s)
	if closed := f.Close(); err == nil && closed != nil {
		err = diskError(path, closed)
	}
	if err != nil {
		return err
	}
	return step.Do(ctx, "rename blob", s.ID, func() error { return publish(path) })
}

// fill writes the content into f, checks it and sees it safe on disk.
func (m *Manager) fill(ctx context.Context, f *os.File, c Content, s *Stored) error {
	hash := sha512.New()
	disk := &diskWriter{file: f, room: func() error { return m.room(f.Name(), 0) }}
	n, err := io.Copy(io.MultiWriter(disk, hash), ctxReader{ctx, c.Reader})
	if err != nil {
		return err
	}
	if c.Size >= 0 && n != c.Size {
		return fault.New("blob.Ingest", fault.Unavailable, s.ID, "got %d bytes of %d", n, c.Size)
	}
	s.Size, s.SHA512 = n, hex.EncodeToString(hash.Sum(nil))
	if s.Facts, err = Inspect(f, n, m.Limits); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return diskError(f.Name(), err)
	}
	return nil
}

// publish gives whole content its name, and sees the name safe on disk. The folder may be new too.
func publish(path string) error {
	if err := os.Rename(path+partial, path); err != nil {
		return diskError(path, err)
	}
	shard := filepath.Dir(path)
	if err := syncDir(shard); err != nil {
		return err
	}
	return syncDir(filepath.Dir(shard))
}

// discard removes a file as a step of its own. One that is not there is fine.
func (m *Manager) discard(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return step.Do(context.WithoutCancel(ctx), "remove file", filepath.Base(path), func() error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Because("blob.discard", fault.Internal, path, err, "the file cannot be removed")
		}
		return nil
	})
}

// ctxReader stops reading when ctx ends.
type ctxReader struct {
	ctx    context.Context //nolint:containedctx // lives as long as one copy
	reader io.Reader
}

func (r ctxReader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.reader.Read(b)
}
