// Package memstore is a state store in the memory of one process. It is quick, forgets everything when the process
// ends, works inside testing/synctest bubbles, and can be made to fail.
package memstore

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Store is a store.Store in memory. Make one with New.
type Store struct {
	mu      sync.RWMutex
	items   map[string]item    // guarded by mu
	most    int                // guarded by mu; keys that items has had at once
	index   index              // guarded by mu; the keys of items
	rev     store.Revision     // guarded by mu; of the last commit
	history history            // guarded by mu
	leases  map[string]*lease  // guarded by mu; by ID
	leaseNo int                // guarded by mu; of the last lease
	changed chan struct{}      // guarded by mu; closed and replaced when watches have something to look at
	closed  bool               // guarded by mu
	fails   map[string][]error // guarded by failMu; by op
	failMu  sync.Mutex         // apart from mu, so that reads stay concurrent
	counts  struct{ gets, lists, commits, conflicts, events atomic.Uint64 }
}

// item is a key's present value. The bytes are never changed, so the history shares them.
type item struct {
	value []byte
	rev   store.Revision
	lease *lease // nil for a key that stays
}

// New returns an empty store.
func New() *Store {
	return &Store{
		items:   make(map[string]item),
		leases:  make(map[string]*lease),
		changed: make(chan struct{}),
		fails:   make(map[string][]error),
	}
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (store.Entry, error) {
	const op = "store.Get"
	s.counts.gets.Add(1)
	if err := s.begin(ctx, op); err != nil {
		return store.Entry{}, err
	}
	s.mu.RLock()
	it, ok := s.items[key]
	s.mu.RUnlock()
	if !ok {
		return store.Entry{}, fault.New(op, fault.NotFound, key, "there is no key %q", key)
	}
	return store.Entry{Key: key, Value: bytes.Clone(it.value), Revision: it.rev}, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) (store.Page, error) {
	const op = "store.List"
	s.counts.lists.Add(1)
	if err := s.begin(ctx, op); err != nil {
		return store.Page{}, err
	}
	if limit < 0 {
		return store.Page{}, fault.New(op, fault.Invalid, prefix, "a page of %d entries was asked for; 0 means %d", limit, store.MaxPage)
	}
	if limit == 0 || limit > store.MaxPage {
		limit = store.MaxPage
	}
	page := s.page(prefix, after, limit)
	for i := range page.Entries {
		page.Entries[i].Value = bytes.Clone(page.Entries[i].Value)
	}
	return page, nil
}

// page reads a page whose values still belong to the store.
func (s *Store) page(prefix, after string, limit int) store.Page {
	start := prefix
	if after != "" {
		start = max(start, after+"\x00")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := store.Page{Revision: s.rev}
	for key := range s.index.from(start) {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		if len(p.Entries) == limit {
			p.More = true
			break
		}
		it := s.items[key]
		p.Entries = append(p.Entries, store.Entry{Key: key, Value: it.value, Revision: it.rev})
	}
	return p
}

// FailNext makes the next call of op fail with err, having done nothing. Op is "Get", "List", "Commit", "Watch" or
// "Lease"; calling it again adds a further failure. For "Watch" that is the watch that next looks for changes: one
// that is waiting now, if there is any, else the next to start.
func (s *Store) FailNext(op string, err error) {
	s.failMu.Lock()
	s.fails["store."+op] = append(s.fails["store."+op], err)
	s.failMu.Unlock()
	if op == "Watch" {
		s.mu.Lock()
		s.wake()
		s.mu.Unlock()
	}
}

// begin says whether op can go on.
func (s *Store) begin(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return fault.Because(op, fault.Unavailable, "", err, "nobody waits for the state store any more")
	}
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return fault.New(op, fault.Unavailable, "", "the state store is closed")
	}
	return s.injected(op)
}

// injected takes the next failure that FailNext left for op.
func (s *Store) injected(op string) error {
	s.failMu.Lock()
	defer s.failMu.Unlock()
	left := s.fails[op]
	if len(left) == 0 {
		return nil
	}
	s.fails[op] = left[1:]
	return left[0]
}

// wake lets every watch look for changes. The caller holds mu.
func (s *Store) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Stats implements store.Counter.
func (s *Store) Stats() store.Stats {
	return store.Stats{
		Gets: s.counts.gets.Load(), Lists: s.counts.lists.Load(), Commits: s.counts.commits.Load(),
		Conflicts: s.counts.conflicts.Load(), WatchEvents: s.counts.events.Load(),
	}
}

// Close ends all watches and leases; every later call fails with fault.Unavailable. Closing twice is success.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for _, l := range s.leases {
		l.finish()
	}
	s.wake()
	return nil
}
