package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

func reading() []promise {
	return []promise{
		{"a missing key is not found", getMissing},
		{"a key reads back with the revision that wrote it", getWritten},
		{"an empty value is a value", getEmpty},
		{"a list is ordered by key and holds nothing beside the prefix", listOrder},
		{"pages join up to the whole", listPages},
		{"a page tells whether there is more", listMore},
		{"a page is of one revision, not older than the last commit", listRevision},
		{"a negative limit is invalid", listNegative},
		{"a page holds at most MaxPage entries", listMax},
		{"what was read is the caller's to keep", readCopies},
		{"what was written is the caller's to change", writeCopies},
		{"a call whose context has ended is unavailable", ended},
	}
}

func getMissing(t *testing.T, s store.Store) {
	put(t, s, "here/1", "x")
	for _, key := range []string{"here", "here/", "here/2", "nowhere"} {
		_, err := s.Get(deadline(t), key)
		wantKind(t, err, fault.NotFound)
	}
}

func getWritten(t *testing.T, s store.Store) {
	r := put(t, s, "a", "1")
	put(t, s, "b", "2")
	e := get(t, s, "a")
	if e.Key != "a" || string(e.Value) != "1" || e.Revision != r {
		t.Fatalf("read %+v, want a=1 of revision %d", e, r)
	}
}

func getEmpty(t *testing.T, s store.Store) {
	put(t, s, "void", "")
	if e := get(t, s, "void"); len(e.Value) != 0 {
		t.Fatalf("read %q, want nothing", e.Value)
	}
	wantKeys(t, s, "", "void")
}

func listOrder(t *testing.T, s store.Store) {
	for _, key := range []string{"p/b", "p/a/2", "q", "p/a", "p", "p0", "p/a/10", "o"} {
		put(t, s, key, key)
	}
	wantKeys(t, s, "p/", "p/a", "p/a/10", "p/a/2", "p/b")
	wantKeys(t, s, "p/a", "p/a", "p/a/10", "p/a/2")
	wantKeys(t, s, "", "o", "p", "p/a", "p/a/10", "p/a/2", "p/b", "p0", "q")
	wantKeys(t, s, "r")
	for _, e := range list(t, s, "", "", 0).Entries {
		if string(e.Value) != e.Key {
			t.Fatalf("key %q has the value %q of another", e.Key, e.Value)
		}
	}
}

func listPages(t *testing.T, s store.Store) {
	var want []string
	var ops []store.Op
	for i := range 95 {
		key := fmt.Sprintf("n/%03d", i)
		want = append(want, key)
		ops = append(ops, store.Put(key, nil))
	}
	commit(t, s, nil, ops...)
	put(t, s, "m", "before")
	put(t, s, "o", "behind")
	var got []string
	for after, more := "", true; more; after = got[len(got)-1] {
		p := list(t, s, "n/", after, 10)
		got, more = append(got, names(p)...), p.More
		if len(p.Entries) > 10 {
			t.Fatalf("a page of %d entries, at most 10 were asked for", len(p.Entries))
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the pages hold %q, want %q", got, want)
	}
}

func listMore(t *testing.T, s store.Store) {
	for _, key := range []string{"k/1", "k/2", "k/3", "l"} {
		put(t, s, key, "")
	}
	cases := []struct {
		after string
		limit int
		n     int
		more  bool
	}{
		{"", 0, 3, false},
		{"", 2, 2, true},
		{"", 3, 3, false},
		{"k/1", 2, 2, false},
		{"k/1", 1, 1, true},
		{"k/15", 1, 1, true}, // a key to start after need not exist
		{"k/3", 1, 0, false},
		{"a", 1, 1, true}, // before the prefix
		{"z", 1, 0, false},
	}
	for _, c := range cases {
		p := list(t, s, "k/", c.after, c.limit)
		if len(p.Entries) != c.n || p.More != c.more {
			t.Errorf("after %q limit %d: %d entries, more %v; want %d, %v", c.after, c.limit, len(p.Entries), p.More, c.n, c.more)
		}
	}
}

func listRevision(t *testing.T, s store.Store) {
	before := list(t, s, "", "", 0).Revision
	r := put(t, s, "elsewhere", "")
	if p := list(t, s, "nothing/", "", 0); p.Revision != r || r <= before {
		t.Fatalf("the page is of revision %d, want that of the last commit, %d, after %d", p.Revision, r, before)
	}
}

func listNegative(t *testing.T, s store.Store) {
	_, err := s.List(deadline(t), "", "", -1)
	wantKind(t, err, fault.Invalid)
}

func listMax(t *testing.T, s store.Store) {
	const n = store.MaxPage + store.MaxOps
	for i := 0; i < n; i += store.MaxOps {
		var ops []store.Op
		for j := range store.MaxOps {
			ops = append(ops, store.Put(fmt.Sprintf("many/%06d", i+j), nil))
		}
		commit(t, s, nil, ops...)
	}
	for _, limit := range []int{0, store.MaxPage, 10 * n} {
		if p := list(t, s, "many/", "", limit); len(p.Entries) != store.MaxPage || !p.More {
			t.Fatalf("limit %d gave %d entries, more %v; want %d and more", limit, len(p.Entries), p.More, store.MaxPage)
		}
	}
}

func readCopies(t *testing.T, s store.Store) {
	r := put(t, s, "k", "value")
	spoil := func(value []byte) {
		for i := range value {
			value[i] = 'x'
		}
	}
	spoil(get(t, s, "k").Value)
	spoil(list(t, s, "", "", 0).Entries[0].Value)
	spoil(watch(t, s, "", r-1).next(t).Changes[0].Value)
	if e := get(t, s, "k"); string(e.Value) != "value" {
		t.Fatalf("the store now holds %q", e.Value)
	}
	if b := watch(t, s, "", r-1).next(t); string(b.Changes[0].Value) != "value" {
		t.Fatalf("a watch now yields %q", b.Changes[0].Value)
	}
}

func writeCopies(t *testing.T, s store.Store) {
	value := []byte("value")
	commit(t, s, nil, store.Put("k", value))
	copy(value, "xxxxx")
	if e := get(t, s, "k"); string(e.Value) != "value" {
		t.Fatalf("the store now holds %q", e.Value)
	}
}

func ended(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, "k")
	wantKind(t, err, fault.Unavailable)
	_, err = s.List(ctx, "k", "", 0)
	wantKind(t, err, fault.Unavailable)
	_, err = s.Commit(ctx, nil, []store.Op{store.Put("k", nil)})
	wantKind(t, err, fault.Unavailable)
	_, err = s.Lease(ctx, store.MinTTL)
	wantKind(t, err, fault.Unavailable)
	for b, err := range s.Watch(ctx, "", 0) {
		t.Fatalf("the watch yields %v, %v", b, err)
	}
}
