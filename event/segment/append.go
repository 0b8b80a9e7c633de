package segment

import (
	"context"
	"os"
	"path/filepath"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// Append adds records to a series. They are read from then on, also after the process has died, and are safe on disk after
// the next Sync. If it fails, some of them may have been added; adding them again is safe, for records with the same object
// and ID are the same. It fails with fault.Exhausted if the disk is full and with fault.Invalid if there is no such series
// or a record is larger than the state store would take.
func (l *Log) Append(ctx context.Context, series string, records ...Record) error {
	const op = "segment.Append"
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.closed {
		return errClosed(op)
	}
	s := l.find(series)
	if s == nil {
		return fault.New(op, fault.Invalid, series, "there is no such series of events")
	}
	for len(records) > 0 {
		n, err := l.fill(ctx, s, records)
		if err != nil {
			return fault.Wrap(op, series, err)
		}
		records = records[n:]
	}
	return nil
}

func (l *Log) find(name string) *series {
	for _, s := range l.series {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// fill appends as many records as the active file has room for, and returns how many those were: one or more.
func (l *Log) fill(ctx context.Context, s *series, records []Record) (int, error) {
	if err := l.room(ctx, s); err != nil {
		return 0, err
	}
	a := s.active
	var b []byte
	n := 0
	for n < len(records) && (n == 0 || a.size+int64(len(b)) < l.o.fullAt()) {
		var err error
		if b, err = encode(b, records[n]); err != nil {
			return 0, fault.Because("segment.Append", fault.Invalid, records[n].Object, err, "an event cannot be kept")
		}
		n++
	}
	err := step.Do(ctx, "append events", s.Name, func() error {
		if err := a.write(b); err != nil {
			return problem("segment.Append", a.path, err, "events cannot be written")
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		a.took(b)
		return nil
	})
	return n, err
}

// room sees to an active file that is not full.
func (l *Log) room(ctx context.Context, s *series) error {
	if s.active != nil && (s.active.closing || s.active.size >= l.o.fullAt()) {
		if err := l.turn(ctx, s); err != nil {
			return err
		}
	}
	if s.active != nil {
		return nil
	}
	path := l.path(s, s.next, activeSuffix)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return problem("segment.Append", path, err, "a file of events cannot be made")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.active = &active{path: path, number: s.next, f: f}
	s.next++
	return nil
}

// Sync sees everything that was appended safe on disk. If it fails, what was appended since the last one may be lost.
func (l *Log) Sync(ctx context.Context) error {
	const op = "segment.Sync"
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.closed {
		return errClosed(op)
	}
	for _, s := range l.series {
		if s.active == nil || s.active.synced == s.active.size {
			continue
		}
		err := step.Do(ctx, "sync events", s.Name, func() error { return l.sync(s.active) })
		if err != nil {
			return fault.Wrap(op, s.Name, err)
		}
	}
	return nil
}

func (l *Log) sync(a *active) error {
	if !a.named {
		if err := syncDir(filepath.Dir(a.path)); err != nil {
			return problem("segment.Sync", a.path, err, "the folder of events cannot be written to disk")
		}
		a.named = true
	}
	if err := a.f.Sync(); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		a.doubt()
		return problem("segment.Sync", a.path, err, "events cannot be written to disk")
	}
	a.synced = a.size
	return nil
}
