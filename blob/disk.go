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
		_, free, _ := diskSpace(path)
		return fault.Because(op, fault.Exhausted, path, err,
			"no room in the storage folder: %d MiB free; delete artifacts that are not needed, or give it a larger disk", free>>20)
	}
	return fault.Because(op, fault.Internal, path, err, "%s cannot be written; check the disk and the folder's permissions", path)
}

// Room fails with fault.Exhausted if size more bytes, at the file path, would take of the disk what Deps.MinFree reserves.
// Whoever writes large files in the storage folder asks it before, and while it writes. The file need not be there, its
// folder must. A size that is unknown (less than 0) counts as 0.
func (m *Manager) Room(path string, size int64) error {
	_, err := m.spare(path, size)
	return err
}

// spare fails as Room does, and returns how many bytes may be written.
func (m *Manager) spare(path string, size int64) (int64, error) {
	total, free, err := diskSpace(path)
	if err != nil {
		return 0, diskError(path, err)
	}
	reserved := m.floor(total)
	if size = max(size, 0); free-size >= reserved {
		return free - reserved, nil
	}
	return 0, fault.New("blob.Room", fault.Exhausted, path,
		"no room in the storage folder: it needs %d MiB of %d MiB free, and %d MiB stay reserved; delete artifacts that are not needed, or give it a larger disk",
		size>>20, free>>20, reserved>>20)
}

// floor is what stays free of a disk of total bytes. The preset is that of the scheduler, who places guests by it.
func (m *Manager) floor(total int64) int64 {
	if m.MinFree >= 0 {
		return m.MinFree
	}
	return min(20<<30, total/10)
}

// diskSpace returns the size in bytes of the disk that path is, or will be, on, and what unprivileged programs may still
// write to it.
func diskSpace(path string) (total, free int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &s); err != nil {
		return 0, 0, err
	}
	block := int64(s.Bsize)                                      //nolint:unconvert // its type differs between systems
	return int64(s.Blocks) * block, int64(s.Bavail) * block, nil //nolint:gosec // no disk has 2^63 bytes
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
