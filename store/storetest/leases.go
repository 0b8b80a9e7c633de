package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// ttl is short enough to outlive in a test, and long enough for a busy machine to renew in time.
const ttl = 2 * time.Second

func leases() []promise {
	return []promise{
		{"keys go in one batch when the lease is released", leaseRelease},
		{"keys go when the lease's context ends", leaseContext},
		{"a lease outlives its ttl while it is renewed", leaseRenewed},
		{"releasing twice is success", leaseTwice},
		{"a key belongs to the lease of its last put", leaseLastPut},
		{"a put under an ended lease is a conflict and writes nothing", leaseEnded},
		{"leases have different IDs and do not touch each other", leaseApart},
		{"a ttl below MinTTL is invalid", leaseShort},
	}
}

// lease takes a lease that is released with the test at the latest.
func lease(t *testing.T, s store.Store) store.Lease {
	t.Helper()
	l, err := s.Lease(t.Context(), ttl)
	if err != nil {
		t.Fatalf("lease: %v", err)
	}
	return l
}

func release(t *testing.T, l store.Lease) {
	t.Helper()
	if err := l.Release(deadline(t)); err != nil {
		t.Fatalf("release: %v", err)
	}
}

// wantDone demands that a lease ends.
func wantDone(t *testing.T, l store.Lease) {
	t.Helper()
	select {
	case <-l.Done():
	case <-time.After(patience):
		t.Fatalf("lease %s is not done", l.ID())
	}
}

func leaseRelease(t *testing.T, s store.Store) {
	l := lease(t, s)
	r := commit(t, s, nil, store.PutLeased("l/a", nil, l), store.PutLeased("l/b", nil, l), store.Put("l/stays", nil))
	w := watch(t, s, "l/", r)
	release(t, l)
	wantDone(t, l)
	wantKeys(t, s, "l/", "l/stays")
	b := w.next(t)
	if len(b.Changes) != 2 || !b.Changes[0].Deleted || !b.Changes[1].Deleted {
		t.Fatalf("the end of the lease came as %+v, want two deletions", b)
	}
}

func leaseContext(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := s.Lease(ctx, ttl)
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, s, "l/", commit(t, s, nil, store.PutLeased("l/a", nil, l)))
	cancel()
	wantDone(t, l)
	if b := w.next(t); !b.Changes[0].Deleted {
		t.Fatalf("the end of the lease came as %+v", b)
	}
}

func leaseRenewed(t *testing.T, s store.Store) {
	l := lease(t, s)
	commit(t, s, nil, store.PutLeased("l/a", nil, l))
	select {
	case <-l.Done():
		t.Fatal("the lease ended although its owner lives")
	case <-time.After(2*ttl + ttl/4):
	}
	wantKeys(t, s, "l/", "l/a")
	release(t, l)
}

func leaseTwice(t *testing.T, s store.Store) {
	l := lease(t, s)
	release(t, l)
	release(t, l)
}

func leaseLastPut(t *testing.T, s store.Store) {
	first, second := lease(t, s), lease(t, s)
	commit(t, s, nil, store.PutLeased("k/freed", nil, first), store.PutLeased("k/moved", nil, first),
		store.Put("k/tied", nil), store.PutLeased("k/again", nil, first))
	commit(t, s, nil, store.Put("k/freed", nil), store.PutLeased("k/moved", nil, second),
		store.PutLeased("k/tied", nil, first), store.Delete("k/again"))
	commit(t, s, nil, store.Put("k/again", nil))
	release(t, first)
	wantKeys(t, s, "k/", "k/again", "k/freed", "k/moved")
	release(t, second)
	wantKeys(t, s, "k/", "k/again", "k/freed")
}

func leaseEnded(t *testing.T, s store.Store) {
	l := lease(t, s)
	release(t, l)
	_, err := s.Commit(deadline(t), nil, []store.Op{store.Put("a", nil), store.PutLeased("b", nil, l)})
	wantKind(t, err, fault.Conflict)
	if failed := store.FailedChecks(err); failed != nil {
		t.Fatalf("failed checks are %v, want none", failed)
	}
	wantKeys(t, s, "")
}

func leaseApart(t *testing.T, s store.Store) {
	seen := make(map[string]bool)
	var all []store.Lease
	for i := range 10 {
		l := lease(t, s)
		if l.ID() == "" || seen[l.ID()] {
			t.Fatalf("lease %d has the ID %q", i, l.ID())
		}
		seen[l.ID()] = true
		all = append(all, l)
		commit(t, s, nil, store.PutLeased(fmt.Sprint("l/", i), nil, l))
	}
	release(t, all[3])
	wantKeys(t, s, "l/", "l/0", "l/1", "l/2", "l/4", "l/5", "l/6", "l/7", "l/8", "l/9")
	select {
	case <-all[4].Done():
		t.Fatal("another lease ended too")
	default:
	}
}

func leaseShort(t *testing.T, s store.Store) {
	for _, d := range []time.Duration{0, -time.Second, store.MinTTL - 1} {
		_, err := s.Lease(t.Context(), d)
		wantKind(t, err, fault.Invalid)
	}
}
