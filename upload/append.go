package upload

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// piece is how much of an upload is written at a time, in bytes, and between two looks at the free space.
const piece = 256 << 10

// Append adds what r has to the end of an upload, and returns how many bytes there are now. What came before a failure stays,
// and the total says how much that is. It fails with fault.NotFound, with fault.Conflict while another request writes to
// the same upload, with fault.Invalid if it gets too large, with fault.Exhausted if the disk has no room, and with
// fault.Unavailable if r breaks off.
func (m *Manager) Append(ctx context.Context, id string, r io.Reader) (total int64, err error) {
	const op = "upload.Append"
	row, err := m.reserve(op, id)
	if err != nil {
		return 0, err
	}
	defer m.leave(row.ID)
	if err := m.Blobs.Room(m.path(row.ID), 0); err != nil {
		return 0, fault.Wrap(op, row.ID, err)
	}
	f, size, err := m.open(ctx, row.ID)
	if err != nil {
		return 0, fault.Wrap(op, row.ID, err)
	}
	w := writer{m: m, id: row.ID, file: f, total: size}
	err = w.fill(ctx, r)
	if closed := f.Close(); err == nil && closed != nil {
		err = diskError(row.ID, closed)
	}
	if w.total > size {
		err = errors.Join(err, m.touch(row.ID))
	}
	return w.total, fault.Wrap(op, row.ID, err)
}

// open opens the file of an upload, which is the upload's alone, for writing at its end.
func (m *Manager) open(ctx context.Context, id string) (*os.File, int64, error) {
	if err := m.detach(ctx, id); err != nil {
		return nil, 0, err
	}
	f, err := os.OpenFile(m.path(id), os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fault.New("upload.open", fault.NotFound, id, "upload not found: its file on node %s is lost; begin another", m.Node)
	}
	if err != nil {
		return nil, 0, diskError(id, err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, diskError(id, err)
	}
	return f, info.Size(), nil
}

// writer adds to an upload.
type writer struct {
	m     *Manager
	id    string
	file  *os.File
	total int64 // bytes that there are
}

func (w *writer) fill(ctx context.Context, r io.Reader) error {
	buffer := make([]byte, piece)
	for ctx.Err() == nil {
		n, err := r.Read(buffer)
		if n > 0 {
			if err := w.write(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fault.Because("upload.Append", fault.Unavailable, w.id, err, "the upload broke off after %d bytes; send what is missing", w.total)
		}
	}
	return context.Cause(ctx)
}

func (w *writer) write(b []byte) error {
	if w.total+int64(len(b)) > w.m.MaxSize {
		return fault.New("upload.Append", fault.Invalid, w.id, "the upload has more than the %d bytes that are allowed", w.m.MaxSize)
	}
	if err := w.m.Blobs.Room(w.m.path(w.id), int64(len(b))); err != nil {
		return err
	}
	n, err := w.file.Write(b)
	w.total += int64(n)
	if err != nil {
		return diskError(w.id, err)
	}
	return nil
}

// Truncate cuts an upload off after offset bytes, so that a piece of which nobody knows how much came can be sent again. It
// fails with fault.NotFound, with fault.Invalid if there are not that many bytes, and with fault.Conflict while another
// request writes to the same upload.
func (m *Manager) Truncate(ctx context.Context, id string, offset int64) error {
	const op = "upload.Truncate"
	row, err := m.reserve(op, id)
	if err != nil {
		return err
	}
	defer m.leave(row.ID)
	f, size, err := m.open(ctx, row.ID)
	if err != nil {
		return fault.Wrap(op, row.ID, err)
	}
	defer f.Close() //nolint:errcheck // nothing is written
	if offset < 0 || offset > size {
		return fault.New(op, fault.Invalid, row.ID, "offset is %d; the upload has %d bytes, use a number from 0 to that", offset, size)
	}
	return step.Do(ctx, "truncate upload", row.ID, func() error {
		if err := f.Truncate(offset); err != nil {
			return diskError(row.ID, err)
		}
		return m.touch(row.ID)
	})
}

// diskError turns an error of the disk into one that says what to do. A full disk is fault.Exhausted.
func diskError(id string, err error) error {
	const op = "upload.disk"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Because(op, fault.Exhausted, id, err,
			"the disk for uploads is full; delete artifacts that are not needed, or give the storage folder a larger disk")
	}
	return fault.Because(op, fault.Internal, id, err, "upload %s cannot be written; check the disk and the folder's permissions", id)
}
