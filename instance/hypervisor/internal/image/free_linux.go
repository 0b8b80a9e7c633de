package image

import "syscall"

// freeMiB returns the room on the file system of dir in MiB, 0 if it is not known.
func freeMiB(dir string) int64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return int64(s.Bavail) * s.Bsize >> 20 //nolint:gosec // no file system has 2^63 blocks
}
