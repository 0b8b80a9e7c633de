package memstore

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// lease lives as long as its context: the store is in the same process, so it can always be renewed.
type lease struct {
	id    string
	store *Store
	done  chan struct{}
	stop  func() bool     // forgets the context
	keys  map[string]bool // guarded by store.mu
	ended bool            // guarded by store.mu
}

// Lease implements store.Store.
func (s *Store) Lease(ctx context.Context, ttl time.Duration) (store.Lease, error) {
	const op = "store.Lease"
	if err := s.begin(ctx, op); err != nil {
		return nil, err
	}
	if ttl < store.MinTTL {
		return nil, fault.New(op, fault.Invalid, "", "a lease of %v was asked for, the shortest is %v", ttl, store.MinTTL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaseNo++
	l := &lease{id: strconv.Itoa(s.leaseNo), store: s, done: make(chan struct{}), keys: make(map[string]bool)}
	s.leases[l.id] = l
	l.stop = context.AfterFunc(ctx, l.end)
	return l, nil
}

// ID implements store.Lease.
func (l *lease) ID() string { return l.id }

// Done implements store.Lease.
func (l *lease) Done() <-chan struct{} { return l.done }

// Release implements store.Lease.
func (l *lease) Release(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fault.Because("store.Release", fault.Unavailable, l.id, err, "the lease was not released")
	}
	l.end()
	return nil
}

// ExpireLease ends the lease of that ID as if its owner had been cut off from the store for too long: its keys go, in
// one commit, and its Done is closed. It fails with fault.NotFound if no lease of that ID lives.
func (s *Store) ExpireLease(id string) error {
	s.mu.RLock()
	l := s.leases[id]
	s.mu.RUnlock()
	if l == nil {
		return fault.New("store.ExpireLease", fault.NotFound, id, "there is no lease %s", id)
	}
	l.end()
	return nil
}

// end deletes the lease's keys and ends it, once.
func (l *lease) end() {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.ended {
		return
	}
	keys := slices.Sorted(maps.Keys(l.keys))
	s.record(store.Batch{Revision: s.rev + 1, Changes: s.remove(nil, keys...)})
	l.finish()
}

// finish ends the lease and leaves its keys alone. The caller holds store.mu.
func (l *lease) finish() {
	l.ended = true
	l.stop()
	close(l.done)
	delete(l.store.leases, l.id)
}
