package storetest

import (
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/store"
)

func counting() []promise {
	return []promise{
		{"every operation is counted", countsAll},
		{"waiting makes no request", waitingIsFree},
	}
}

// counter returns the store's counts, or skips.
func counter(t *testing.T, s store.Store) store.Counter {
	t.Helper()
	c, ok := s.(store.Counter)
	if !ok {
		t.Skip("left out: this store has no Stats (store.Counter)")
	}
	return c
}

func countsAll(t *testing.T, s store.Store) {
	c := counter(t, s)
	before := c.Stats()
	r := put(t, s, "k", "")
	exists(t, s, "none")
	get(t, s, "k")
	list(t, s, "", "", 0)
	_, err := s.Commit(deadline(t), []store.Check{store.Absent("k")}, []store.Op{store.Put("k", nil)})
	wantFailed(t, err, store.Absent("k"))
	watch(t, s, "", r-1).next(t)
	after := c.Stats()
	got := store.Stats{
		Gets: after.Gets - before.Gets, Lists: after.Lists - before.Lists, Commits: after.Commits - before.Commits,
		Conflicts: after.Conflicts - before.Conflicts, WatchEvents: after.WatchEvents - before.WatchEvents,
	}
	if want := (store.Stats{Gets: 2, Lists: 1, Commits: 2, Conflicts: 1, WatchEvents: 1}); got != want {
		t.Fatalf("counted %+v, want %+v", got, want)
	}
}

func waitingIsFree(t *testing.T, s store.Store) {
	c := counter(t, s)
	r := put(t, s, "k", "")
	w := watch(t, s, "", r)
	before := c.Stats()
	select {
	case b := <-w.batches:
		t.Fatalf("the watch yields %+v", b)
	case err := <-w.ended:
		t.Fatalf("the watch ended: %v", err)
	case <-time.After(time.Second):
	}
	if after := c.Stats(); after != before {
		t.Fatalf("a waiting watch took the counts from %+v to %+v", before, after)
	}
}
