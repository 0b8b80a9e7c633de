package image

import (
	"errors"
	"path/filepath"
	"syscall"

	"github.com/shakenfist/shakenfist/fault"
)

// Full returns err as a fault.Exhausted that names the room left, if it says that the disk of the file path is full, and
// else err itself.
func Full(op, path string, err error) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	return fault.Because(op, fault.Exhausted, path, err, "the disk of %s is full: %d MiB free; make room there or use another node",
		filepath.Dir(path), freeMiB(filepath.Dir(path)))
}
