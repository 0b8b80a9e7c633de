// Package whole makes files that are complete or not there at all.
package whole

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// Suffix is what a file's name ends with until it is complete.
const Suffix = ".partial"

// Maker makes files, one at a time for each path. The zero value is ready.
type Maker struct {
	// Volatile leaves out fsync: files survive the death of the process, but not that of the machine. Simulations use it.
	Volatile bool

	mu   sync.Mutex
	busy map[string]chan struct{} // guarded by mu; closed when the path is free again
}

// Make makes the file path by letting write make it under another name and renaming that, the step "rename disk". A
// file that is there already is left as it is. What an attempt that was cut off has left is removed first. Errors of
// write are returned as they are.
func (m *Maker) Make(ctx context.Context, path string, write func(partial string) error) error {
	const op = "hypervisor.Make"
	free, err := m.claim(ctx, path)
	if err != nil {
		return err
	}
	defer free()
	if _, err := os.Lstat(path); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fault.Because(op, fault.Internal, path, err, "cannot see whether the file is there")
	}
	partial := path + Suffix
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Because(op, fault.Internal, path, err, "cannot remove what an earlier attempt left")
	}
	if err := write(partial); err != nil {
		_ = os.Remove(partial)
		return err
	}
	if err := m.sync(partial); err != nil {
		return fault.Because(op, fault.Internal, path, err, "cannot write the file to disk")
	}
	if err := step.Do(ctx, "rename disk", path, func() error { return os.Rename(partial, path) }); err != nil {
		return fault.Wrap(op, path, err)
	}
	if err := m.sync(filepath.Dir(path)); err != nil {
		return fault.Because(op, fault.Internal, path, err, "cannot write the file's folder to disk")
	}
	return nil
}

// claim waits until nobody else makes path; what it returns gives it free again.
func (m *Maker) claim(ctx context.Context, path string) (func(), error) {
	for {
		m.mu.Lock()
		taken, ok := m.busy[path]
		if !ok {
			if m.busy == nil {
				m.busy = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			m.busy[path] = mine
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				delete(m.busy, path)
				m.mu.Unlock()
				close(mine)
			}, nil
		}
		m.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return nil, fault.Because("hypervisor.Make", fault.Unavailable, path, ctx.Err(), "another call is still making this file")
		}
	}
}

func (m *Maker) sync(path string) error {
	if m.Volatile {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
