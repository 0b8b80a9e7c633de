package memstore

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, checks []store.Check, ops []store.Op) (store.Revision, error) {
	const op = "store.Commit"
	if err := store.Validate(checks, ops); err != nil {
		return 0, err
	}
	s.counts.commits.Add(1)
	if err := s.begin(ctx, op); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed { // while we waited for mu
		return 0, fault.New(op, fault.Unavailable, "", "the state store is closed")
	}
	if failed := s.failing(checks); len(failed) > 0 {
		s.counts.conflicts.Add(1)
		return 0, store.Conflict(failed)
	}
	if err := s.leasesLive(ops); err != nil {
		return 0, err
	}
	s.apply(ops)
	return s.rev, nil
}

// failing returns the checks that do not hold.
func (s *Store) failing(checks []store.Check) []store.Check {
	var failed []store.Check
	for _, c := range checks {
		if !s.holds(c) {
			failed = append(failed, c)
		}
	}
	return failed
}

func (s *Store) holds(c store.Check) bool {
	if c.Kind == store.CheckEmpty {
		return s.index.empty(c.Key)
	}
	it, ok := s.items[c.Key]
	if c.Kind == store.CheckAt {
		return ok && it.rev == c.Revision
	}
	return !ok
}

// leasesLive refuses puts under leases that are not of this store or have ended.
func (s *Store) leasesLive(ops []store.Op) error {
	const op = "store.Commit"
	for _, o := range ops {
		if o.Kind != store.OpPut || o.Lease == nil {
			continue
		}
		l, ok := o.Lease.(*lease)
		if !ok || l.store != s {
			return fault.New(op, fault.Invalid, o.Key, "the lease of key %q is not of this store", o.Key)
		}
		if l.ended {
			return fault.New(op, fault.Conflict, o.Key, "the lease of key %q has ended; take a new one", o.Key)
		}
	}
	return nil
}

// apply carries out ops as one revision, if they change anything.
func (s *Store) apply(ops []store.Op) {
	b := store.Batch{Revision: s.rev + 1}
	for _, o := range ops {
		switch o.Kind {
		case store.OpPut:
			l, _ := o.Lease.(*lease)
			s.set(o.Key, item{value: bytes.Clone(o.Value), rev: b.Revision, lease: l})
			b.Changes = append(b.Changes, store.Change{Key: o.Key, Value: s.items[o.Key].value})
		case store.OpDelete:
			b.Changes = s.remove(b.Changes, o.Key)
		case store.OpDeletePrefix:
			var keys []string
			for key := range s.index.from(o.Key) {
				if !strings.HasPrefix(key, o.Key) {
					break
				}
				keys = append(keys, key)
			}
			b.Changes = s.remove(b.Changes, keys...)
		}
	}
	s.record(b)
}

// record makes b the last commit, unless it changed nothing.
func (s *Store) record(b store.Batch) {
	if len(b.Changes) == 0 {
		return
	}
	s.rev = b.Revision
	s.history.add(b)
	s.wake()
}

// set makes it the present value of key, and the key one of its lease alone.
func (s *Store) set(key string, it item) {
	old, ok := s.items[key]
	if !ok {
		s.index.insert(key)
	} else if old.lease != nil {
		delete(old.lease.keys, key)
	}
	if it.lease != nil {
		it.lease.keys[key] = true
	}
	s.items[key] = it
	s.most = max(s.most, len(s.items))
}

// remove deletes the keys that are there and appends what that changed.
func (s *Store) remove(changes []store.Change, keys ...string) []store.Change {
	changes = slices.Grow(changes, len(keys))
	for _, key := range keys {
		old, ok := s.items[key]
		if !ok {
			continue
		}
		if old.lease != nil {
			delete(old.lease.keys, key)
		}
		delete(s.items, key)
		s.index.remove(key)
		changes = append(changes, store.Change{Key: key, Deleted: true})
	}
	s.shrink()
	return changes
}

// shrink gives memory back when most keys have gone: a map never does by itself.
func (s *Store) shrink() {
	const small = 1 << 14
	if s.most < small || len(s.items) > s.most/4 {
		return
	}
	items := make(map[string]item, len(s.items))
	maps.Copy(items, s.items)
	s.items, s.most = items, len(items)
}
