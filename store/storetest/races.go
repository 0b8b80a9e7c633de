package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// rounds is how often a race is run.
const rounds = 50

func races() []promise {
	return []promise{
		{"of two racers for one claim one wins", raceClaim},
		{"the last of two dropped references removes the parent, once", raceDrop},
		{"of adding a reference and removing the parent one wins", raceAdd},
		{"concurrent counters lose no update", raceCount},
		{"many writers of keys of their own do not conflict", raceApart},
	}
}

// together runs the racers at once and waits for all.
func together(racers ...func()) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for _, run := range racers {
		wg.Go(func() {
			<-start
			run()
		})
	}
	close(start)
	wg.Wait()
}

// won says whether a commit won, and reports every other outcome but a conflict.
func won(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && !errors.Is(err, fault.Conflict) {
		t.Errorf("a racer neither won nor lost: %v", err)
	}
	return err == nil
}

func raceClaim(t *testing.T, s store.Store) {
	ctx := deadline(t)
	for i := range rounds {
		key, wins := fmt.Sprintf("ipam/net/10.0.0.%d", i), atomic.Int32{}
		claim := func(owner string) func() {
			return func() {
				_, err := s.Commit(ctx, []store.Check{store.Absent(key)}, []store.Op{
					store.Put(key, []byte(owner)), store.Put(fmt.Sprintf("owner/%d/%s", i, owner), nil),
				})
				if won(t, err) {
					wins.Add(1)
				}
			}
		}
		together(claim("a"), claim("b"), claim("c"))
		owners := keys(t, s, fmt.Sprintf("owner/%d/", i))
		if wins.Load() != 1 || len(owners) != 1 {
			t.Fatalf("round %d: %d won and %q exist, want one", i, wins.Load(), owners)
		}
		if owner := string(get(t, s, key).Value); owners[0] != fmt.Sprintf("owner/%d/%s", i, owner) {
			t.Fatalf("round %d: the claim is of %q, and %q exists", i, owner, owners[0])
		}
	}
}

// removeParent removes a parent that nothing refers to, as its own commit, and says whether it did.
func removeParent(ctx context.Context, t *testing.T, s store.Store, parent string) bool {
	t.Helper()
	e, err := s.Get(ctx, parent)
	if errors.Is(err, fault.NotFound) {
		return false
	}
	if err != nil {
		t.Errorf("get %q: %v", parent, err)
		return false
	}
	_, err = s.Commit(ctx, []store.Check{store.At(parent, e.Revision), store.Empty("refs/" + parent + "/")},
		[]store.Op{store.Delete(parent)})
	return won(t, err)
}

func raceDrop(t *testing.T, s store.Store) {
	ctx := deadline(t)
	for i := range rounds {
		parent, removals := fmt.Sprintf("blob%d", i), atomic.Int32{}
		ref := "refs/" + parent + "/"
		commit(t, s, nil, store.Put(parent, nil), store.Put(ref+"a", nil), store.Put(ref+"b", nil))
		drop := func(name string) func() {
			return func() {
				if _, err := s.Commit(ctx, nil, []store.Op{store.Delete(ref + name)}); err != nil {
					t.Errorf("drop %s: %v", name, err)
				}
				if removeParent(ctx, t, s, parent) {
					removals.Add(1)
				}
			}
		}
		together(drop("a"), drop("b"))
		if exists(t, s, parent) || removals.Load() != 1 {
			t.Fatalf("round %d: the parent exists: %v; it was removed %d times, want once", i, exists(t, s, parent), removals.Load())
		}
	}
}

func raceAdd(t *testing.T, s store.Store) {
	ctx := deadline(t)
	for i := range rounds {
		parent := fmt.Sprintf("blob%d", i)
		r := put(t, s, parent, "")
		var added, removed bool
		together(
			func() {
				_, err := s.Commit(ctx, []store.Check{store.At(parent, r)}, []store.Op{store.Put("refs/"+parent+"/x", nil)})
				added = won(t, err)
			},
			func() { removed = removeParent(ctx, t, s, parent) },
		)
		if added == removed {
			t.Fatalf("round %d: added %v, removed %v; want exactly one", i, added, removed)
		}
		if here, referred := exists(t, s, parent), exists(t, s, "refs/"+parent+"/x"); here != added || referred != added {
			t.Fatalf("round %d: added %v, but the parent exists: %v, the reference: %v", i, added, here, referred)
		}
	}
}

func raceCount(t *testing.T, s store.Store) {
	const workers, each, counters = 8, 10, 3
	ctx := deadline(t)
	for c := range counters {
		put(t, s, fmt.Sprint("counter/", c), "0")
	}
	increment := func(key string) bool {
		e, err := s.Get(ctx, key)
		if err != nil {
			t.Errorf("get %q: %v", key, err)
			return true
		}
		n, err := strconv.Atoi(string(e.Value))
		if err != nil {
			t.Errorf("%q holds %q", key, e.Value)
			return true
		}
		_, err = s.Commit(ctx, []store.Check{store.At(key, e.Revision)}, []store.Op{store.Put(key, []byte(strconv.Itoa(n+1)))})
		return won(t, err) || t.Failed()
	}
	var racers []func()
	for range workers {
		racers = append(racers, func() {
			for i := range each * counters {
				for key := fmt.Sprint("counter/", i%counters); !increment(key); {
				}
			}
		})
	}
	together(racers...)
	for c := range counters {
		if got := string(get(t, s, fmt.Sprint("counter/", c)).Value); got != strconv.Itoa(workers*each) {
			t.Errorf("counter %d is at %s, want %d", c, got, workers*each)
		}
	}
}

func raceApart(t *testing.T, s store.Store) {
	const workers, each = 8, 25
	ctx := deadline(t)
	var racers []func()
	for w := range workers {
		racers = append(racers, func() {
			key := fmt.Sprint("own/", w)
			checks := []store.Check{store.Absent(key)}
			for range each {
				r, err := s.Commit(ctx, checks, []store.Op{store.Put(key, nil), store.Put("head", nil)})
				if err != nil {
					t.Errorf("commit of %q: %v", key, err)
					return
				}
				checks = []store.Check{store.At(key, r)}
			}
		})
	}
	together(racers...)
}
