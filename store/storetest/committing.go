package storetest

import (
	"fmt"
	"testing"

	"github.com/shakenfist/shakenfist/store"
)

func committing() []promise {
	return []promise{
		{"revisions ascend", revisionsAscend},
		{"all keys of a commit get its revision", oneRevision},
		{"a commit applies wholly or not at all", allOrNothing},
		{"At holds for the last revision and for no other", checkAt},
		{"At does not hold for a key that was deleted and written again", checkAtAgain},
		{"Absent holds while there is no such key", checkAbsent},
		{"Empty holds while no key begins with the prefix", checkEmpty},
		{"the failed checks are named, and only those", failedChecks},
		{"checks see the store before the ops", checksFirst},
		{"checks write nothing", checksWriteNothing},
		{"deleting what is not there is success and makes no revision", deleteMissing},
		{"a prefix deletion takes the keys under it and no others", deletePrefix},
		{"a prefix deletion takes more keys than a commit could name", deleteMany},
	}
}

func revisionsAscend(t *testing.T, s store.Store) {
	last := store.Revision(0)
	for i := range 20 {
		var r store.Revision
		if i%4 == 3 {
			r = commit(t, s, nil, store.Delete(fmt.Sprint("k", i-1)))
		} else {
			r = put(t, s, fmt.Sprint("k", i), "")
		}
		if r <= last {
			t.Fatalf("revision %d came after %d", r, last)
		}
		last = r
	}
}

func oneRevision(t *testing.T, s store.Store) {
	r := commit(t, s, nil, store.Put("a", nil), store.Put("b", nil), store.Put("c", nil))
	for _, e := range list(t, s, "", "", 0).Entries {
		if e.Revision != r {
			t.Fatalf("key %q has revision %d, its commit %d", e.Key, e.Revision, r)
		}
	}
}

func allOrNothing(t *testing.T, s store.Store) {
	put(t, s, "old", "1")
	put(t, s, "dir/x", "1")
	_, err := s.Commit(deadline(t), []store.Check{store.Absent("old")}, []store.Op{
		store.Put("new", nil), store.Put("old2", nil), store.Delete("old"), store.DeletePrefix("dir/"),
	})
	wantFailed(t, err, store.Absent("old"))
	wantKeys(t, s, "", "dir/x", "old")
	commit(t, s, []store.Check{store.Absent("new")},
		store.Put("new", nil), store.Put("old2", nil), store.Delete("old"), store.DeletePrefix("dir/"))
	wantKeys(t, s, "", "new", "old2")
}

func checkAt(t *testing.T, s store.Store) {
	first := put(t, s, "k", "1")
	second := commit(t, s, []store.Check{store.At("k", first)}, store.Put("k", []byte("2")))
	for _, c := range []store.Check{store.At("k", first), store.At("k", second+1), store.At("none", first)} {
		_, err := s.Commit(deadline(t), []store.Check{c}, []store.Op{store.Put("k", []byte("3"))})
		wantFailed(t, err, c)
	}
	if e := get(t, s, "k"); string(e.Value) != "2" || e.Revision != second {
		t.Fatalf("read %+v, want 2 of revision %d", e, second)
	}
}

func checkAtAgain(t *testing.T, s store.Store) {
	first := put(t, s, "k", "same")
	commit(t, s, nil, store.Delete("k"))
	put(t, s, "k", "same")
	_, err := s.Commit(deadline(t), []store.Check{store.At("k", first)}, []store.Op{store.Delete("k")})
	wantFailed(t, err, store.At("k", first))
}

func checkAbsent(t *testing.T, s store.Store) {
	absent := []store.Check{store.Absent("k")}
	put(t, s, "k/below", "does not count")
	commit(t, s, absent, store.Put("k", nil))
	_, err := s.Commit(deadline(t), absent, []store.Op{store.Put("k", nil)})
	wantFailed(t, err, absent...)
	commit(t, s, nil, store.Delete("k"))
	commit(t, s, absent, store.Put("k", nil))
}

func checkEmpty(t *testing.T, s store.Store) {
	empty := []store.Check{store.Empty("refs/1/")}
	put(t, s, "refs/1", "beside")
	put(t, s, "refs/10/a", "beside")
	commit(t, s, empty, store.Put("x", nil))
	put(t, s, "refs/1/a", "")
	put(t, s, "refs/1/b", "")
	for _, key := range []string{"refs/1/a", "refs/1/b"} {
		_, err := s.Commit(deadline(t), empty, []store.Op{store.Put("x", nil)})
		wantFailed(t, err, empty...)
		commit(t, s, nil, store.Delete(key))
	}
	commit(t, s, empty, store.Put("x", nil))
	put(t, s, "exactly", "a prefix is also the key that equals it")
	_, err := s.Commit(deadline(t), []store.Check{store.Empty("exactly")}, []store.Op{store.Put("x", nil)})
	wantFailed(t, err, store.Empty("exactly"))
}

func failedChecks(t *testing.T, s store.Store) {
	r := put(t, s, "a", "")
	put(t, s, "b/1", "")
	holds := []store.Check{store.At("a", r), store.Absent("x"), store.Empty("x/")}
	fails := []store.Check{store.At("a", r+100), store.Absent("b/1"), store.Empty("b/"), store.At("x", r)}
	for mask := 1; mask < 1<<len(fails); mask++ {
		checks, want := []store.Check{holds[0]}, []store.Check(nil)
		for i, c := range fails {
			if mask&(1<<i) != 0 {
				checks, want = append(checks, c), append(want, c)
			}
		}
		checks = append(checks, holds[1:]...)
		_, err := s.Commit(deadline(t), checks, []store.Op{store.Put("w", nil)})
		wantFailed(t, err, want...)
	}
	if exists(t, s, "w") {
		t.Fatal("a commit that failed wrote")
	}
	commit(t, s, holds, store.Put("w", nil))
}

func checksFirst(t *testing.T, s store.Store) {
	r := put(t, s, "a", "")
	commit(t, s, []store.Check{store.Absent("b"), store.At("a", r), store.Empty("b")}, store.Put("b", nil), store.Delete("a"))
	wantKeys(t, s, "", "b")
}

func checksWriteNothing(t *testing.T, s store.Store) {
	r := put(t, s, "a", "")
	commit(t, s, []store.Check{store.At("a", r), store.Absent("b"), store.Empty("c/")}, store.Put("d", nil))
	if e := get(t, s, "a"); e.Revision != r {
		t.Fatalf("a checked key went from revision %d to %d", r, e.Revision)
	}
	wantKeys(t, s, "", "a", "d")
}

func deleteMissing(t *testing.T, s store.Store) {
	r := put(t, s, "a", "")
	for _, op := range []store.Op{store.Delete("b"), store.DeletePrefix("b/")} {
		if got := commit(t, s, nil, op); got != r {
			t.Fatalf("a commit that changed nothing has revision %d, want still %d", got, r)
		}
	}
	if p := list(t, s, "", "", 0); p.Revision != r {
		t.Fatalf("the store is at revision %d, want still %d", p.Revision, r)
	}
}

func deletePrefix(t *testing.T, s store.Store) {
	for _, key := range []string{"d", "d/", "d/1", "d/1/2", "d/2", "d0", "c/d/1"} {
		put(t, s, key, "")
	}
	commit(t, s, nil, store.DeletePrefix("d/"))
	wantKeys(t, s, "", "c/d/1", "d", "d0")
}

func deleteMany(t *testing.T, s store.Store) {
	before := put(t, s, "keep", "")
	for i := range 5 {
		var ops []store.Op
		for j := range store.MaxOps {
			ops = append(ops, store.Put(fmt.Sprintf("go/%d/%d", i, j), nil))
		}
		before = commit(t, s, nil, ops...)
	}
	r := commit(t, s, nil, store.DeletePrefix("go/"))
	wantKeys(t, s, "", "keep")
	if b := watch(t, s, "go/", before).next(t); b.Revision != r || len(b.Changes) != 5*store.MaxOps {
		t.Fatalf("a watch saw %d changes at revision %d, want %d at %d", len(b.Changes), b.Revision, 5*store.MaxOps, r)
	}
}
