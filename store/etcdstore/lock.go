package etcdstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/shakenfist/shakenfist/fault"
)

// lockDir takes dir for this process, or fails with fault.Conflict at once: an etcd server that finds its files in use
// would wait for ever. The lock ends with the process, however that ends.
func lockDir(op, dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, "lock")
	l := flock.New(path, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fault.Because(op, fault.Internal, dir, err, "cannot lock the state store's directory %s", dir)
	}
	if !ok {
		return nil, fault.New(op, fault.Conflict, dir, "the state store in %s is in use by %s; stop that first", dir, holder(path))
	}
	// The pid is for people. Written after the lock was taken, it names its holder or, for a moment, nobody.
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		_ = l.Unlock() // the write failed first
		return nil, fault.Because(op, fault.Internal, dir, err, "cannot write to the state store's directory %s", dir)
	}
	return l, nil
}

// fileFree fails with fault.Conflict if a program that does not know of our lock uses etcd's data file.
func fileFree(op, path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	l := flock.New(path, flock.SetFlag(os.O_RDWR))
	ok, err := l.TryLock()
	if err != nil {
		return fault.Because(op, fault.Internal, path, err, "cannot open the state store's file %s", path)
	}
	if !ok {
		return fault.New(op, fault.Conflict, path, "the state store's file %s is in use, perhaps by etcdutl; stop that first", path)
	}
	return l.Unlock()
}

// unlockDir gives the directory back.
func unlockDir(l *flock.Flock) error {
	if err := os.Truncate(l.Path(), 0); err != nil {
		return err
	}
	return l.Unlock()
}

// holder says who has the lock, as far as the file tells.
func holder(path string) string {
	text, err := os.ReadFile(path)
	if pid, bad := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && bad == nil {
		return fmt.Sprintf("the process with pid %d", pid)
	}
	return "another process"
}
