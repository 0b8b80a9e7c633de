package memstore

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shakenfist/shakenfist/store"
)

// The index against a sorted map, with enough keys that chunks split, empty and vanish.
func TestIndexStaysSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var x index
	model := make(map[string]bool)
	for round := range 20_000 {
		key := fmt.Sprint(rng.IntN(4000))
		if growing := round/5000%2 == 0; growing == (rng.IntN(8) > 0) {
			x.insert(key)
			model[key] = true
		} else {
			x.remove(key)
			delete(model, key)
		}
		if round%500 != 0 {
			continue
		}
		want := slices.Sorted(maps.Keys(model))
		if got := slices.Collect(x.from("")); !slices.Equal(got, want) {
			t.Fatalf("round %d: the index holds %d keys, want %d", round, len(got), len(want))
		}
		at, _ := slices.BinarySearch(want, key)
		if got := slices.Collect(x.from(key)); !slices.Equal(got, want[at:]) {
			t.Fatalf("round %d: %d keys from %q, want %d", round, len(got), key, len(want)-at)
		}
		if slices.ContainsFunc(x.chunks, func(c []string) bool { return len(c) == 0 || len(c) > chunkMax }) {
			t.Fatalf("round %d: a chunk is empty or too long", round)
		}
	}
}

func TestRoomIsGivenBackWhenKeysGo(t *testing.T) {
	t.Parallel()
	s := New()
	const each, prefixes = store.MaxOps, 300
	for p := range prefixes {
		var ops []store.Op
		for k := range each {
			ops = append(ops, store.Put(fmt.Sprintf("%d/%d", p, k), nil))
		}
		if _, err := s.Commit(t.Context(), nil, ops); err != nil {
			t.Fatal(err)
		}
	}
	for p := range prefixes - 1 {
		if _, err := s.Commit(t.Context(), nil, []store.Op{store.DeletePrefix(fmt.Sprintf("%d/", p))}); err != nil {
			t.Fatal(err)
		}
	}
	if s.most > prefixes*each/4 {
		t.Errorf("room for %d keys is held, of which %d are left", s.most, len(s.items))
	}
	page, err := s.List(t.Context(), "", "", 0)
	if err != nil || len(page.Entries) != each {
		t.Errorf("%d keys left, %v; want %d", len(page.Entries), err, each)
	}
}
