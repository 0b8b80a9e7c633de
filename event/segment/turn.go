package segment

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/shakenfist/shakenfist/internal/step"
)

// turn closes the active file of a series. The caller holds writing, or is Open. If it fails the file is still active, and
// nothing may be appended until turn has succeeded.
func (l *Log) turn(ctx context.Context, s *series) error {
	a := s.active
	data := make([]byte, a.size)
	if _, err := a.f.ReadAt(data, 0); err != nil && a.size > 0 {
		return problem("segment.turn", a.path, err, "a file of events cannot be read")
	}
	b, damaged := encodeSegment(data, a.entries)
	if damaged {
		l.damaged(ctx, &a.said, a.path)
	}
	partial, path := l.path(s, a.number, partialSuffix), l.path(s, a.number, segmentSuffix)
	if err := writeFile(partial, b); err != nil {
		_ = os.Remove(partial)
		return problem("segment.turn", path, err, "a file of events cannot be closed")
	}
	a.closing = true
	err := step.Do(ctx, "rename event file", filepath.Base(path), func() error { return os.Rename(partial, path) })
	if err == nil {
		err = syncDir(l.o.Dir)
	}
	if err != nil {
		return problem("segment.turn", path, err, "a file of events cannot be closed")
	}
	c, err := openSegment(path, a.number)
	if err != nil {
		return problem("segment.turn", path, err, "a closed file of events cannot be read")
	}
	l.mu.Lock()
	s.closed, s.active = append(slices.Clip(s.closed), c), nil
	l.mu.Unlock()
	_ = a.f.Close() // what it had is in the other
	// The next start removes it if this fails.
	_ = step.Do(ctx, "remove event file", filepath.Base(a.path), func() error { return remove(a.path) })
	return nil
}

// writeFile writes a file and sees it safe on disk.
func writeFile(path string, b []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
