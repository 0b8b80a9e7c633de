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

// copying ends the name of a copy of an upload's file that is not whole yet.
const copying = ".partial"

// stretch is how much is copied, in bytes, between two looks whether anybody still wants it.
const stretch = 64 << 20

// detach sees that the file of an upload is no content as well, before it is changed. While it was checked it got the name
// of content, and it may have repaired that of others; and that no artifact came of it may be what somebody thinks who did
// not hear the store's answer. It fails with fault.NotFound if the upload is no more.
func (m *Manager) detach(ctx context.Context, id string) error {
	if shared, err := m.isShared(id); err != nil || !shared {
		return err
	}
	if err := m.View.Fresh(ctx); err != nil {
		return err
	}
	if _, err := m.find("upload.detach", id); err != nil {
		return err
	}
	if err := m.copyFile(ctx, id); err != nil {
		_ = m.discard(ctx, id, m.path(id)+copying) // or the sweep does
		return err
	}
	return step.Do(ctx, "rename upload file", id, func() error {
		if err := os.Rename(m.path(id)+copying, m.path(id)); err != nil {
			return diskError(id, err)
		}
		return nil
	})
}

// isShared reports whether the file of an upload has another name. One that is not there has none.
func (m *Manager) isShared(id string) (bool, error) {
	info, err := os.Lstat(m.path(id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, diskError(id, err)
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Nlink > 1, nil
}

// copyFile copies the file of an upload.
func (m *Manager) copyFile(ctx context.Context, id string) error {
	from, err := os.Open(m.path(id))
	if err != nil {
		return diskError(id, err)
	}
	defer from.Close() //nolint:errcheck // only read
	info, err := from.Stat()
	if err != nil {
		return diskError(id, err)
	}
	path := m.path(id) + copying
	if err := m.Blobs.Room(path, info.Size()); err != nil {
		return err
	}
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640) //nolint:gosec // as the blob that it may become
	if err != nil {
		return diskError(id, err)
	}
	for err == nil && ctx.Err() == nil {
		_, err = io.CopyN(to, from, stretch) // in the kernel, which shares the blocks where it can
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	// Nobody has added to it by this.
	if err = errors.Join(err, to.Close(), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
		return diskError(id, err)
	}
	if ctx.Err() != nil {
		return fault.Wrap("upload.detach", id, context.Cause(ctx))
	}
	return nil
}
