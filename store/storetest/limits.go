package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

func limits() []promise {
	return []promise{
		{"the largest commit is accepted", limitLargest},
		{"one more of anything is invalid and writes nothing", limitMore},
		{"a key written twice is invalid and writes nothing", limitTwice},
		{"a commit that makes no sense is invalid and writes nothing", limitSenseless},
	}
}

// longKey returns the n-th key of the greatest length.
func longKey(n int) string {
	key := fmt.Sprintf("long/%04d/", n)
	return key + strings.Repeat("k", store.MaxKey-len(key))
}

// largest returns a commit that reaches every limit at once.
func largest() ([]store.Check, []store.Op) {
	var checks []store.Check
	for i := range store.MaxChecks {
		checks = append(checks, store.Empty(longKey(i)))
	}
	var ops []store.Op
	for i := range store.MaxOps {
		value := store.MaxBytes/store.MaxOps - store.MaxKey
		if i == 0 {
			value += store.MaxBytes % store.MaxOps
		}
		ops = append(ops, store.Put(longKey(i), make([]byte, value)))
	}
	return checks, ops
}

func limitLargest(t *testing.T, s store.Store) {
	checks, ops := largest()
	commit(t, s, checks, ops...)
	if n := len(keys(t, s, "long/")); n != store.MaxOps {
		t.Fatalf("%d keys were written, want %d", n, store.MaxOps)
	}
	_, err := s.Commit(deadline(t), checks, ops)
	wantFailed(t, err, checks...)
	value := make([]byte, store.MaxBytes-len("one"))
	value[len(value)-1] = 7
	commit(t, s, nil, store.Put("one", value))
	if e := get(t, s, "one"); len(e.Value) != len(value) || e.Value[len(value)-1] != 7 {
		t.Fatalf("%d bytes came back, want the %d written", len(e.Value), len(value))
	}
}

func limitMore(t *testing.T, s store.Store) {
	checks, ops := largest()
	one := []store.Op{store.Put("k", nil)}
	refused(t, s, nil, append(slices.Clip(ops), store.Delete("k")))
	refused(t, s, append(checks, store.Absent("k")), one)
	refused(t, s, nil, []store.Op{store.Put("k", make([]byte, store.MaxBytes))})
	refused(t, s, nil, []store.Op{store.Put(strings.Repeat("k", store.MaxKey+1), nil)})
	refused(t, s, []store.Check{store.Absent(strings.Repeat("k", store.MaxKey+1))}, one)
}

func limitTwice(t *testing.T, s store.Store) {
	refused(t, s, nil, []store.Op{store.Put("k", nil), store.Put("k", nil)})
	refused(t, s, nil, []store.Op{store.Put("k", nil), store.Delete("k")})
	refused(t, s, nil, []store.Op{store.Put("d/k", nil), store.DeletePrefix("d/")})
	refused(t, s, nil, []store.Op{store.DeletePrefix("d/"), store.DeletePrefix("d/e/")})
}

func limitSenseless(t *testing.T, s store.Store) {
	one := []store.Op{store.Put("k", nil)}
	refused(t, s, nil, nil)
	refused(t, s, nil, []store.Op{store.Put("", nil)})
	refused(t, s, nil, []store.Op{store.DeletePrefix("")})
	refused(t, s, nil, []store.Op{{Key: "k"}})
	refused(t, s, []store.Check{store.Empty("")}, one)
	refused(t, s, []store.Check{{Key: "k"}}, one)
	refused(t, s, []store.Check{store.At("k", 0)}, one)
	refused(t, s, []store.Check{store.At("k", -1)}, one)
	refused(t, s, nil, []store.Op{store.PutLeased("k", nil, foreign{})})
}

// refused demands that a commit is invalid and leaves the store as it was.
func refused(t *testing.T, s store.Store, checks []store.Check, ops []store.Op) {
	t.Helper()
	before := list(t, s, "", "", 0)
	_, err := s.Commit(deadline(t), checks, ops)
	wantKind(t, err, fault.Invalid)
	if after := list(t, s, "", "", 0); after.Revision != before.Revision || len(after.Entries) != len(before.Entries) {
		t.Fatalf("a refused commit took the store from revision %d to %d", before.Revision, after.Revision)
	}
}

// foreign is a lease of no store.
type foreign struct{ store.Lease }
