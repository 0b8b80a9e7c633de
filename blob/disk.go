package blob

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shakenfist/shakenfist/fault"
)

// diskError turns an error of the disk into one that says what to do. A full disk is fault.Exhausted.
func diskError(path string, err error) error {
	const op = "blob.disk"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		free, _ := freeBytes(path)
		return fault.Because(op, fault.Exhausted, path, err,
			"no room for %s: %d MiB free; delete artifacts that are not needed, or give the storage folder a larger disk", path, free>>20)
	}
	return fault.Because(op, fault.Internal, path, err, "%s cannot be written; check the disk and the folder's permissions", path)
}

// room fails with fault.Exhausted if size more bytes don't fit on the disk that path is on. Unknown sizes count as 0.
func (m *Manager) room(path string, size int64) error {
	free, err := freeBytes(path)
	if err != nil {
		return diskError(path, err)
	}
	if size = max(size, 0); free-size >= m.MinFree {
		return nil
	}
	return fault.New("blob.room", fault.Exhausted, path,
		"no room for %s: it needs %d MiB of %d MiB free, and %d MiB stay reserved; delete artifacts that are not needed, or give the storage folder a larger disk",
		path, size>>20, free>>20, m.MinFree>>20)
}

// freeBytes returns what unprivileged programs may still write to the disk that path is, or will be, on.
func freeBytes(path string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil //nolint:gosec // no disk has 2^63 bytes
}

// syncDir sees the names in a folder safe on disk.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return diskError(dir, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return diskError(dir, err)
	}
	return nil
}

// roomEvery is how much is written between two looks at the free space.
const roomEvery = 64 << 20

// diskWriter writes to a file, says what to do when the disk is full, and stops before it takes what is reserved.
type diskWriter struct {
	file    *os.File
	room    func() error
	written int64 // since the last look
}

func (w *diskWriter) Write(b []byte) (int, error) {
	if w.written += int64(len(b)); w.written >= roomEvery {
		w.written = 0
		if err := w.room(); err != nil {
			return 0, err
		}
	}
	n, err := w.file.Write(b)
	if err != nil {
		err = diskError(w.file.Name(), err)
	}
	return n, err
}
