package segment

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// Newest returns an object's newest records of the named series, newest first: at most n of them, or all for n less than 1.
// Records older than their series' age are left out, also while their file is still there. What can't be read is left out
// too, and the log says so. It fails with fault.Unavailable when the log is closed.
func (l *Log) Newest(ctx context.Context, object string, n int, series ...string) ([]Record, error) {
	const op = "segment.Newest"
	if n < 1 {
		n = math.MaxInt
	}
	all, closed, err := l.newestActive(ctx, object, n, series)
	if err != nil {
		return nil, fault.Wrap(op, object, err)
	}
	// Newest first, so that the oldest need not be read when there are enough.
	slices.SortFunc(closed, func(a, b dated) int { return cmp.Compare(b.newest, a.newest) })
	for _, c := range closed {
		if len(all) == n && c.newest < all[n-1].At.UnixNano() {
			break
		}
		more, err := l.newestClosed(ctx, c, object, n)
		if err != nil {
			return nil, fault.Wrap(op, object, err)
		}
		all = merge(all, more, n)
	}
	return all, nil
}

// dated is a closed file with the time before which its records don't count.
type dated struct {
	*segment
	series *series
	since  int64
}

// newestActive reads the active files, and says which closed ones there are at the same moment.
func (l *Log) newestActive(ctx context.Context, object string, n int, names []string) ([]Record, []dated, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return nil, nil, errClosed("segment.Newest")
	}
	var all []Record
	var closed []dated
	now := time.Now()
	for _, s := range l.series {
		if !slices.Contains(names, s.Name) {
			continue
		}
		since := s.since(now)
		if s.active != nil {
			more, damaged, err := s.active.find(object, n, since)
			if err != nil {
				return nil, nil, problem("segment.Newest", s.active.path, err, "a file of events cannot be read")
			}
			if damaged {
				l.damaged(ctx, &s.active.said, s.active.path)
			}
			all = merge(all, more, n)
		}
		for _, c := range s.closed {
			if c.newest >= since {
				closed = append(closed, dated{c, s, since})
			}
		}
	}
	return all, closed, nil
}

// since is the time before which the series' records are too old, in Unix nanoseconds.
func (s *series) since(now time.Time) int64 {
	if s.Age < 0 {
		return math.MinInt64
	}
	return now.Add(-s.Age).UnixNano()
}

func (l *Log) newestClosed(ctx context.Context, c dated, object string, n int) ([]Record, error) {
	found, damaged, err := c.find(object, n, c.since)
	switch {
	case errors.Is(err, fs.ErrNotExist): // retention was quicker
		return nil, nil
	case isDamaged(err):
		return found, l.discard(ctx, c, err)
	case err != nil:
		return nil, problem("segment.Newest", c.path, err, "a file of events cannot be read")
	case damaged:
		l.damaged(ctx, &c.said, c.path)
	}
	return found, nil
}

// damaged tells once that a part of a file can't be read.
func (l *Log) damaged(ctx context.Context, said *atomic.Bool, path string) {
	if !said.Swap(true) {
		l.o.Log.WarnContext(ctx, "a part of a file of events is damaged; its events are missing from lists", slog.String("file", path))
	}
}

// discard sets a closed file aside that turned out to be unreadable.
func (l *Log) discard(ctx context.Context, c dated, why error) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if !slices.Contains(c.series.closed, c.segment) {
		return nil // somebody else did
	}
	if err := l.setAside(ctx, c.path, why); err != nil {
		return err
	}
	l.without(c.series, c.segment)
	return nil
}

// without takes a closed file off the list. The caller holds writing.
func (l *Log) without(s *series, c *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.closed = slices.DeleteFunc(slices.Clone(s.closed), func(x *segment) bool { return x == c })
}
