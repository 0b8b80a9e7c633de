package segment

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// Removed tells of a file that went.
type Removed struct {
	Series         string // "" if it had been set aside as unreadable
	Records        int    // 0 if that is not known
	Bytes          int64
	Oldest, Newest time.Time // of its records; zero if that is not known
	ForRoom        bool      // it went for the budget's sake, and not for its age
}

// slices are into how many parts a series' age is cut: an active file is closed when its oldest record has reached that part
// of the age, so that no record stays much longer than its age.
const slicesOfAge = 8

// Retire removes files whose records are all too old, closes active ones so that they can go one day, and then removes
// files until the rest is within the budget: those that were set aside, then the oldest of the series least worth keeping.
// It returns what went, also beside an error.
func (l *Log) Retire(ctx context.Context) ([]Removed, error) {
	const op = "segment.Retire"
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.closed {
		return nil, errClosed(op)
	}
	gone, err := l.retireOld(ctx, time.Now())
	if err != nil {
		return gone, fault.Wrap(op, "", err)
	}
	more, err := l.retireExcess(ctx)
	return append(gone, more...), fault.Wrap(op, "", err)
}

func (l *Log) retireOld(ctx context.Context, now time.Time) ([]Removed, error) {
	var gone []Removed
	for _, s := range l.series {
		for _, c := range s.closed {
			if c.newest >= s.since(now) {
				continue
			}
			if err := l.unlink(ctx, s, c); err != nil {
				return gone, err
			}
			gone = append(gone, c.removed(s.Name, false))
		}
		if due, ok := s.turnsAt(); ok && !now.Before(due) {
			if err := l.turn(ctx, s); err != nil {
				return gone, err
			}
		}
	}
	return gone, nil
}

// turnsAt is when the active file is closed for its age.
func (s *series) turnsAt() (time.Time, bool) {
	if s.Age < 0 || s.active == nil || s.active.size == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, s.active.oldest).Add(s.Age / slicesOfAge), true
}

func (s *segment) removed(series string, forRoom bool) Removed {
	return Removed{
		Series: series, Records: int(s.records), Bytes: s.bytes,
		Oldest: time.Unix(0, s.oldest), Newest: time.Unix(0, s.newest), ForRoom: forRoom,
	}
}

func (l *Log) unlink(ctx context.Context, s *series, c *segment) error {
	err := step.Do(ctx, "remove event file", filepath.Base(c.path), func() error { return remove(c.path) })
	if err != nil {
		return problem("segment.Retire", c.path, err, "a file of events that is not kept any longer cannot be removed")
	}
	l.without(s, c)
	return nil
}

func (l *Log) retireExcess(ctx context.Context) ([]Removed, error) {
	var gone []Removed
	for l.o.Budget > 0 && l.Bytes() > l.o.Budget {
		if len(l.broken) > 0 {
			b := l.broken[0]
			err := step.Do(ctx, "remove event file", filepath.Base(b.path), func() error { return remove(b.path) })
			if err != nil {
				return gone, problem("segment.Retire", b.path, err, "a damaged file of events cannot be removed")
			}
			l.mu.Lock()
			l.broken = l.broken[1:]
			l.mu.Unlock()
			gone = append(gone, Removed{Bytes: b.bytes, ForRoom: true})
			continue
		}
		s := l.leastWorth()
		if s == nil {
			break // what is left are active files, which are small
		}
		// Not by number: what waited long for its turn may have come the newest first.
		c := slices.MinFunc(s.closed, func(a, b *segment) int { return cmp.Compare(a.newest, b.newest) })
		if err := l.unlink(ctx, s, c); err != nil {
			return gone, err
		}
		gone = append(gone, c.removed(s.Name, true))
	}
	return gone, nil
}

// leastWorth is the first series that has a closed file; nil if none has.
func (l *Log) leastWorth() *series {
	for _, s := range l.series {
		if len(s.closed) > 0 {
			return s
		}
	}
	return nil
}

// Due returns when the next file will be too old, or old enough to be closed; false if there is none.
func (l *Log) Due() (next time.Time, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	earlier := func(t time.Time) {
		if !ok || t.Before(next) {
			next, ok = t, true
		}
	}
	for _, s := range l.series {
		if s.Age < 0 {
			continue
		}
		for _, c := range s.closed {
			earlier(time.Unix(0, c.newest).Add(s.Age + 1))
		}
		if due, turns := s.turnsAt(); turns {
			earlier(due)
		}
	}
	return next, ok
}
