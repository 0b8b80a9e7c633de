package memstore

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
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
