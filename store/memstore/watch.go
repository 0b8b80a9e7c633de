package memstore

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sort"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Bounds of the history a watch can start from; what comes first counts.
const (
	historyCommits = 10_000
	historyBytes   = 64 << 20 // keys and values
)

// history holds the last commits, oldest first.
type history struct {
	batches []store.Batch
	bytes   int            // of batches
	lost    store.Revision // the newest commit that is no longer held
}

func (h *history) add(b store.Batch) {
	h.batches = append(h.batches, b)
	h.bytes += size(b)
	n, left := 0, h.bytes
	for len(h.batches)-n > historyCommits || left > historyBytes && len(h.batches)-n > 1 {
		left -= size(h.batches[n])
		n++
	}
	h.drop(n)
}

// drop forgets the n oldest commits.
func (h *history) drop(n int) {
	if n == 0 {
		return
	}
	for i := range n {
		h.bytes -= size(h.batches[i])
		h.lost = h.batches[i].Revision
		h.batches[i] = store.Batch{}
	}
	h.batches = h.batches[n:] // append moves what is left to a new array when this one is used up
}

// since returns the commits after a revision. They still belong to the store.
func (h *history) since(after store.Revision) []store.Batch {
	n := sort.Search(len(h.batches), func(i int) bool { return h.batches[i].Revision > after })
	return slices.Clone(h.batches[n:])
}

func size(b store.Batch) int {
	n := 0
	for _, c := range b.Changes {
		n += len(c.Key) + len(c.Value)
	}
	return n
}

// Compact forgets the history before revision r, so that a watch after an older revision than the one before r ends
// with store.ErrCompacted. It fails with fault.Invalid if there is no revision r yet.
func (s *Store) Compact(ctx context.Context, r store.Revision) error {
	const op = "store.Compact"
	if err := s.begin(ctx, op); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r > s.rev {
		return fault.New(op, fault.Invalid, "", "there is no revision %d yet, the last is %d", r, s.rev)
	}
	s.history.drop(sort.Search(len(s.history.batches), func(i int) bool { return s.history.batches[i].Revision >= r }))
	s.history.lost = max(s.history.lost, r-1)
	s.wake()
	return nil
}

// Watch implements store.Store. It has no goroutine of its own.
func (s *Store) Watch(ctx context.Context, prefix string, after store.Revision) iter.Seq2[store.Batch, error] {
	return func(yield func(store.Batch, error) bool) {
		for ctx.Err() == nil {
			batches, changed, err := s.news(ctx, after)
			if err != nil {
				if ctx.Err() == nil {
					yield(store.Batch{}, err)
				}
				return
			}
			if len(batches) == 0 {
				select {
				case <-ctx.Done():
				case <-changed:
				}
				continue
			}
			if !s.pass(ctx, batches, prefix, yield) {
				return
			}
			after = batches[len(batches)-1].Revision
		}
	}
}

// pass yields what the batches did under prefix. It reports whether the watcher wants more.
func (s *Store) pass(ctx context.Context, batches []store.Batch, prefix string, yield func(store.Batch, error) bool) bool {
	for _, b := range batches {
		own := under(b, prefix)
		if len(own.Changes) == 0 {
			continue
		}
		s.counts.events.Add(uint64(len(own.Changes)))
		if ctx.Err() != nil || !yield(own, nil) {
			return false
		}
	}
	return true
}

// news returns the commits after a revision, and a channel that is closed when there may be more.
func (s *Store) news(ctx context.Context, after store.Revision) ([]store.Batch, <-chan struct{}, error) {
	const op = "store.Watch"
	if err := s.begin(ctx, op); err != nil {
		return nil, nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if after < s.history.lost {
		return nil, nil, fault.Because(op, fault.Conflict, "", store.ErrCompacted, "revision %d is too old to watch from", after)
	}
	return s.history.since(after), s.changed, nil
}

// under returns a copy of what b did to keys under prefix.
func under(b store.Batch, prefix string) store.Batch {
	own := store.Batch{Revision: b.Revision}
	for _, c := range b.Changes {
		if strings.HasPrefix(c.Key, prefix) {
			c.Value = bytes.Clone(c.Value)
			own.Changes = append(own.Changes, c)
		}
	}
	return own
}
