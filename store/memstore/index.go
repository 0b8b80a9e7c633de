package memstore

import (
	"iter"
	"slices"
	"sort"
	"strings"
)

// chunkMax bounds a chunk of the index, and so what one insertion has to move.
const chunkMax = 512

// index is a sorted set of keys, in chunks so that inserting among 100,000 keys moves only some hundred of them.
type index struct {
	chunks [][]string // none empty, ascending within and across
}

// chunkOf returns the number of the chunk that holds key, or should.
func (x *index) chunkOf(key string) int {
	after := sort.Search(len(x.chunks), func(i int) bool { return x.chunks[i][0] > key })
	return max(after-1, 0)
}

func (x *index) insert(key string) {
	if len(x.chunks) == 0 {
		x.chunks = append(x.chunks, []string{key})
		return
	}
	c := x.chunkOf(key)
	at, found := slices.BinarySearch(x.chunks[c], key)
	if found {
		return
	}
	chunk := slices.Insert(x.chunks[c], at, key)
	x.chunks[c] = chunk
	if len(chunk) > chunkMax {
		half := len(chunk) / 2
		x.chunks = slices.Insert(x.chunks, c+1, slices.Clone(chunk[half:]))
		clear(chunk[half:])
		x.chunks[c] = chunk[:half]
	}
}

func (x *index) remove(key string) {
	if len(x.chunks) == 0 {
		return
	}
	c := x.chunkOf(key)
	at, found := slices.BinarySearch(x.chunks[c], key)
	if !found {
		return
	}
	x.chunks[c] = slices.Delete(x.chunks[c], at, at+1)
	if len(x.chunks[c]) == 0 {
		x.chunks = slices.Delete(x.chunks, c, c+1)
	}
}

// empty reports whether no key begins with prefix.
func (x *index) empty(prefix string) bool {
	empty := true
	x.from(prefix)(func(key string) bool {
		empty = !strings.HasPrefix(key, prefix)
		return false
	})
	return empty
}

// from yields the keys that are not below key, ascending. The set must not change meanwhile.
func (x *index) from(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(x.chunks) == 0 {
			return
		}
		first := x.chunkOf(key)
		at, _ := slices.BinarySearch(x.chunks[first], key)
		for c := first; c < len(x.chunks); c++ {
			for _, k := range x.chunks[c][at:] {
				if !yield(k) {
					return
				}
			}
			at = 0
		}
	}
}
