package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
	"github.com/shakenfist/shakenfist/store/storetest"
)

func open(t *testing.T) store.Store {
	t.Helper()
	s := memstore.New()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestConformance(t *testing.T) { storetest.TestStore(t, open) }

func TestRandomOps(t *testing.T) { storetest.RandomOps(t, open) }

func FuzzOps(f *testing.F) { storetest.FuzzOps(f, open) }

func commit(t *testing.T, s store.Store, ops ...store.Op) store.Revision {
	t.Helper()
	r, err := s.Commit(t.Context(), nil, ops)
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return r
}

// A watch, a lease and their ends, in a bubble: synctest fails if the store leaves a goroutine behind, and waits
// for ever if the store blocks on anything but channels.
func TestWorksInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		ctx, cancel := context.WithCancel(t.Context())
		var seen []string
		go func() {
			for b, err := range s.Watch(ctx, "node/", 0) {
				if err != nil {
					t.Errorf("watch: %v", err)
				}
				for _, c := range b.Changes {
					seen = append(seen, fmt.Sprintf("%s deleted=%v", c.Key, c.Deleted))
				}
			}
			seen = append(seen, "end")
		}()
		l, err := s.Lease(ctx, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, store.PutLeased("node/a", nil, l))
		time.Sleep(24 * time.Hour) // a day of the bubble's time: the lease renews itself
		synctest.Wait()
		if want := []string{"node/a deleted=false"}; fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Fatalf("after a day the watch saw %q, want %q", seen, want)
		}
		if err := s.ExpireLease(l.ID()); err != nil {
			t.Fatal(err)
		}
		<-l.Done()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if want := []string{"node/a deleted=false", "node/a deleted=true", "end"}; fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Fatalf("the watch saw %q, want %q", seen, want)
		}
		if err := s.ExpireLease(l.ID()); !errors.Is(err, fault.NotFound) {
			t.Fatalf("expiring an ended lease gave %v", err)
		}
	})
}

func TestFailNextFailsOnceEachInTurn(t *testing.T) {
	s, first, second := memstore.New(), errors.New("first"), errors.New("second")
	put := []store.Op{store.Put("k", nil)}
	calls := map[string]func() error{
		"Get":    func() error { _, err := s.Get(t.Context(), "k"); return err },
		"List":   func() error { _, err := s.List(t.Context(), "", "", 0); return err },
		"Commit": func() error { _, err := s.Commit(t.Context(), nil, put); return err },
		"Lease":  func() error { _, err := s.Lease(t.Context(), time.Minute); return err },
		"Watch": func() error {
			for _, err := range s.Watch(t.Context(), "", 0) {
				return err
			}
			return nil
		},
	}
	r := commit(t, s, put...)
	for op, call := range calls {
		s.FailNext(op, first)
		s.FailNext(op, second)
		for _, want := range []error{first, second, nil} {
			if got := call(); !errors.Is(got, want) {
				t.Errorf("%s gave %v, want %v", op, got, want)
			}
		}
	}
	if e, err := s.Get(t.Context(), "k"); err != nil || e.Revision != r+1 {
		t.Errorf("the key is at %d, %v; want %d: failed commits wrote", e.Revision, err, r+1)
	}
}

func TestFailNextEndsAWaitingWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, broken := memstore.New(), errors.New("broken")
		ended := make(chan error, 1)
		go func() {
			var last error
			for _, err := range s.Watch(t.Context(), "", 0) {
				last = err
			}
			ended <- last
		}()
		synctest.Wait()
		s.FailNext("Watch", broken)
		if err := <-ended; !errors.Is(err, broken) {
			t.Fatalf("the watch ended with %v", err)
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	first := func(s *memstore.Store) (store.Batch, error) {
		for b, err := range s.Watch(t.Context(), "", 0) {
			return b, err
		}
		return store.Batch{}, nil
	}
	t.Run("by commits", func(t *testing.T) {
		s := memstore.New()
		for range 10_000 {
			commit(t, s, store.Put("k", nil))
		}
		if b, err := first(s); err != nil || b.Revision != 1 {
			t.Fatalf("the history begins with %d, %v", b.Revision, err)
		}
		commit(t, s, store.Put("k", nil))
		if _, err := first(s); !errors.Is(err, store.ErrCompacted) {
			t.Fatalf("the first commit is still held: %v", err)
		}
	})
	t.Run("by bytes", func(t *testing.T) {
		s, big := memstore.New(), make([]byte, 1_000_000)
		for range 67 {
			commit(t, s, store.Put("k", big))
		}
		if _, err := first(s); err != nil {
			t.Fatal(err)
		}
		commit(t, s, store.Put("k", big))
		if _, err := first(s); !errors.Is(err, store.ErrCompacted) {
			t.Fatalf("68 MB of history are still held: %v", err)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		l, err := s.Lease(t.Context(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			for _, err := range s.Watch(t.Context(), "", 0) {
				ended <- err
			}
		}()
		synctest.Wait()
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		<-l.Done()
		if err := <-ended; !errors.Is(err, fault.Unavailable) {
			t.Errorf("the watch ended with %v", err)
		}
		if _, err := s.Get(t.Context(), "k"); !errors.Is(err, fault.Unavailable) {
			t.Errorf("a get gave %v", err)
		}
	})
}

func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("among %d keys", n), func(b *testing.B) {
			s := memstore.New()
			for i := range n {
				if _, err := s.Commit(b.Context(), nil, []store.Op{store.Put(fmt.Sprintf("fill/%08x", i*2654435761), nil)}); err != nil {
					b.Fatal(err)
				}
			}
			value := make([]byte, 1024)
			for i := 0; b.Loop(); i++ {
				if _, err := s.Commit(b.Context(), nil, []store.Op{store.Put(fmt.Sprint("k/", i), value)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkListAmong100000Keys(b *testing.B) {
	s := memstore.New()
	for i := range 100_000 {
		if _, err := s.Commit(b.Context(), nil, []store.Op{store.Put(fmt.Sprintf("n/%03d/%d", i/100, i), nil)}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if p, err := s.List(b.Context(), "n/500/", "", 0); err != nil || len(p.Entries) != 100 {
			b.Fatal(len(p.Entries), err)
		}
	}
}
