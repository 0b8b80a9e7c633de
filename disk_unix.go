//go:build unix

package shakenfist

import "syscall"

// diskSpace returns the size and the free space of the file system that holds dir, in bytes; zeros if it can't be asked.
func diskSpace(dir string) (total, free int64) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, 0
	}
	return int64(fs.Blocks) * int64(fs.Bsize), int64(fs.Bavail) * int64(fs.Bsize) //nolint:gosec,unconvert // no disk is that large; field types differ by system
}
