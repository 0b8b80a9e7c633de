package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// RandomOps compares a store with a map through random commits, reads and watches. A difference is shrunk to the
// shortest sequence that shows it. It opens one store and gives each sequence a prefix of its own.
func RandomOps(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	s := open(t)
	var n atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		newMachine(t.Context(), s, fmt.Sprintf("run%d/", n.Add(1))).run(rt)
	})
}

// FuzzOps is RandomOps for the fuzzer, with a store of its own for each input.
func FuzzOps(f *testing.F, open func(t *testing.T) store.Store) {
	f.Helper()
	f.Fuzz(func(t *testing.T, input []byte) {
		s := open(t)
		rapid.MakeFuzz(func(rt *rapid.T) { newMachine(t.Context(), s, "run/").run(rt) })(t, input)
	})
}

// machine drives a store and the model of it.
type machine struct {
	ctx    context.Context //nolint:containedctx // one test run; rapid's actions take no context
	store  store.Store
	prefix string
	model  model
	start  store.Revision
}

func newMachine(ctx context.Context, s store.Store, prefix string) *machine {
	return &machine{ctx: ctx, store: s, prefix: prefix, model: model{entries: make(map[string]store.Entry)}}
}

func (m *machine) run(t *rapid.T) {
	p, err := m.store.List(m.ctx, m.prefix, "", 0)
	if err != nil || len(p.Entries) > 0 {
		t.Fatalf("the start: %d entries, %v", len(p.Entries), err)
	}
	m.start = p.Revision
	t.Repeat(map[string]func(*rapid.T){
		"commit": m.commit,
		"get":    m.get,
		"list":   m.list,
	})
	m.replay(t)
}

// key draws a key or prefix out of few, so that they meet and nest.
func (m *machine) key(t *rapid.T, what string) string {
	return m.prefix + rapid.SampledFrom([]string{
		"a", "a/", "a/1", "a/1/x", "a/1/y", "a/2", "ab", "b", "b/1", "b/2", "b/10", "é/ü", "~",
	}).Draw(t, what)
}

func (m *machine) checks(t *rapid.T) []store.Check {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Check {
		key := m.key(t, "check")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return store.Absent(key)
		case 1:
			return store.Empty(key)
		case 2:
			return store.At(key, m.start+store.Revision(rapid.IntRange(-1, 20).Draw(t, "revision")))
		}
		if e, here := m.model.entries[key]; here {
			return store.At(key, e.Revision)
		}
		return store.Absent(key)
	}), 0, 3).Draw(t, "checks")
}

func (m *machine) ops(t *rapid.T) []store.Op {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Op {
		key := m.key(t, "op")
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return store.Delete(key)
		case 1:
			return store.DeletePrefix(key)
		}
		return store.Put(key, rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "value"))
	}), 0, 5).Draw(t, "ops")
}

func (m *machine) commit(t *rapid.T) {
	checks, ops := m.checks(t), m.ops(t)
	r, err := m.store.Commit(m.ctx, checks, ops)
	if store.Validate(checks, ops) != nil {
		if !errors.Is(err, fault.Invalid) {
			t.Fatalf("an invalid commit gave %v", err)
		}
		return
	}
	if failed := m.model.failing(checks); len(failed) > 0 {
		if !errors.Is(err, fault.Conflict) || !slices.Equal(store.FailedChecks(err), failed) {
			t.Fatalf("the commit gave %v, want a conflict over %v", err, failed)
		}
		return
	}
	if err != nil {
		t.Fatalf("the commit gave %v", err)
	}
	changes := m.model.changes(ops)
	if len(changes) == 0 {
		if r < m.model.rev {
			t.Fatalf("revision %d came after %d", r, m.model.rev)
		}
		return
	}
	if r <= max(m.start, m.model.rev) {
		t.Fatalf("revision %d came after %d", r, max(m.start, m.model.rev))
	}
	m.model.apply(r, changes)
}

func (m *machine) get(t *rapid.T) {
	key := m.key(t, "key")
	want, here := m.model.entries[key]
	got, err := m.store.Get(m.ctx, key)
	if !here {
		if !errors.Is(err, fault.NotFound) {
			t.Fatalf("get %q gave %+v, %v; want not found", key, got, err)
		}
		return
	}
	if err != nil || !equal(got, want) {
		t.Fatalf("get %q gave %+v, %v; want %+v", key, got, err, want)
	}
}

func (m *machine) list(t *rapid.T) {
	prefix, after := m.prefix, ""
	if rapid.Bool().Draw(t, "narrow") {
		prefix = m.key(t, "prefix")
	}
	if rapid.Bool().Draw(t, "later") {
		after = m.key(t, "after")
	}
	limit := rapid.IntRange(0, 4).Draw(t, "limit")
	got, err := m.store.List(m.ctx, prefix, after, limit)
	want := m.model.page(prefix, after, limit)
	if err != nil || got.More != want.More || !slices.EqualFunc(got.Entries, want.Entries, equal) {
		t.Fatalf("list %q after %q limit %d gave %+v, %v; want %+v", prefix, after, limit, got, err, want)
	}
}

// replay demands that a watch from the start yields exactly the commits that changed anything.
func (m *machine) replay(t *rapid.T) {
	if len(m.model.past) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, patience)
	defer cancel()
	n := 0
	for got, err := range m.store.Watch(ctx, m.prefix, m.start) {
		if err != nil {
			t.Fatalf("the watch ended: %v", err)
		}
		want := m.model.past[n]
		slices.SortFunc(got.Changes, byKey)
		if got.Revision != want.Revision || !slices.EqualFunc(got.Changes, want.Changes, same) {
			t.Fatalf("commit %d was watched as %+v, want %+v", n, got, want)
		}
		if n++; n == len(m.model.past) {
			return
		}
	}
	t.Fatalf("the watch ended after %d of %d commits", n, len(m.model.past))
}

func equal(a, b store.Entry) bool {
	return a.Key == b.Key && a.Revision == b.Revision && bytes.Equal(a.Value, b.Value)
}

func same(a, b store.Change) bool {
	return a.Key == b.Key && a.Deleted == b.Deleted && bytes.Equal(a.Value, b.Value)
}
