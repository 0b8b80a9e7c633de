package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

func watching() []promise {
	return []promise{
		{"a watch sees every change under its prefix, in order", watchOrder},
		{"all changes of one commit come in one batch", watchBatch},
		{"a watch starts from a past revision, without a gap to the present", watchPast},
		{"a list and a watch after its revision miss nothing and repeat nothing", watchAfterList},
		{"a deletion has no value, an empty value is not a deletion", watchDeletion},
		{"several watches do not disturb each other", watchSeveral},
		{"a watch ends with its context, without an error", watchEnds},
		{"a watch can be left at any batch", watchBreak},
		{"a watch from before the history ends with ErrCompacted", watchCompacted},
		{"a reader of head waits for its own watch and for nothing else", watchHead},
	}
}

func watchOrder(t *testing.T, s store.Store) {
	w := watch(t, s, "in/", put(t, s, "in/before", ""))
	var want []store.Revision
	for i := range 50 {
		put(t, s, "out/x", fmt.Sprint(i))
		want = append(want, put(t, s, fmt.Sprint("in/", i%7), fmt.Sprint(i)))
	}
	for i, r := range want {
		b := w.next(t)
		if b.Revision != r || len(b.Changes) != 1 {
			t.Fatalf("batch %d is %+v, want one change at revision %d", i, b, r)
		}
		if c := b.Changes[0]; c.Key != fmt.Sprint("in/", i%7) || string(c.Value) != fmt.Sprint(i) || c.Deleted {
			t.Fatalf("change %d is %+v", i, c)
		}
	}
}

func watchBatch(t *testing.T, s store.Store) {
	start := commit(t, s, nil, store.Put("d/1", nil), store.Put("d/2", nil), store.Put("e", nil))
	live := watch(t, s, "", start)
	var ops []store.Op
	for i := range store.MaxOps - 2 {
		ops = append(ops, store.Put(fmt.Sprint("k", i), nil))
	}
	r := commit(t, s, nil, append(ops, store.DeletePrefix("d/"), store.Delete("e"))...)
	put(t, s, "behind", "")
	for _, w := range []*watcher{live, watch(t, s, "", start)} {
		b := w.next(t)
		if b.Revision != r || len(b.Changes) != store.MaxOps+1 {
			t.Fatalf("the batch of revision %d has %d changes, want %d at %d", b.Revision, len(b.Changes), store.MaxOps+1, r)
		}
		if b = w.next(t); len(b.Changes) != 1 || b.Changes[0].Key != "behind" {
			t.Fatalf("the next batch is %+v", b)
		}
	}
}

func watchPast(t *testing.T, s store.Store) {
	var all []store.Revision
	for i := range 30 {
		all = append(all, put(t, s, "k", fmt.Sprint(i)))
	}
	for _, from := range []int{0, 1, 15, 29} {
		w := watch(t, s, "", all[from])
		all = append(all, put(t, s, "k", ""))
		for _, r := range all[from+1:] {
			if b := w.next(t); b.Revision != r {
				t.Fatalf("a watch after %d yields revision %d, want %d", all[from], b.Revision, r)
			}
		}
	}
	if b := watch(t, s, "", 0).next(t); b.Revision != all[0] {
		t.Fatalf("a watch after 0 begins at revision %d, want the first, %d", b.Revision, all[0])
	}
}

func watchAfterList(t *testing.T, s store.Store) {
	ctx := deadline(t)
	const commits = 300
	var last atomic.Int64
	write := func() {
		for i := range commits {
			ops := []store.Op{store.Put(fmt.Sprint("k/", i%20), fmt.Append(nil, i)), store.Delete(fmt.Sprint("k/", (i+7)%20))}
			r, err := s.Commit(ctx, nil, ops)
			if err != nil {
				t.Errorf("commit %d: %v", i, err)
				return
			}
			last.Store(int64(r))
		}
	}
	views := make([]map[string]string, 4)
	follow := func(n int) func() {
		return func() { views[n] = followFrom(ctx, t, s, "k/", "done") }
	}
	together(func() {
		write()
		if _, err := s.Commit(ctx, nil, []store.Op{store.Put("k/done", nil)}); err != nil {
			t.Errorf("last commit: %v", err)
		}
	}, follow(0), follow(1), follow(2), follow(3))
	for n, view := range views {
		var got []string
		for _, e := range list(t, s, "k/", "", 0).Entries {
			if v, ok := view[e.Key]; !ok || v != string(e.Value) {
				t.Errorf("view %d has %q=%q, the store %q", n, e.Key, v, e.Value)
			}
			got = append(got, e.Key)
		}
		if len(got) != len(view) {
			t.Errorf("view %d has %d keys, the store %d", n, len(view), len(got))
		}
	}
}

// followFrom builds a view from a list and the watch after it, until the key prefix+last appears.
func followFrom(ctx context.Context, t *testing.T, s store.Store, prefix, last string) map[string]string {
	t.Helper()
	p, err := s.List(ctx, prefix, "", 0)
	if err != nil {
		t.Errorf("list: %v", err)
		return nil
	}
	view, at := make(map[string]string), p.Revision
	for _, e := range p.Entries {
		view[e.Key] = string(e.Value)
	}
	if _, ok := view[prefix+last]; ok {
		return view
	}
	for b, err := range s.Watch(ctx, prefix, p.Revision) {
		if err != nil || b.Revision <= at {
			t.Errorf("after revision %d came %d, %v", at, b.Revision, err)
			return nil
		}
		at = b.Revision
		for _, c := range b.Changes {
			if c.Deleted {
				delete(view, c.Key)
				continue
			}
			view[c.Key] = string(c.Value)
		}
		if _, ok := view[prefix+last]; ok {
			return view
		}
	}
	t.Errorf("the watch ended before %q came", prefix+last)
	return nil
}

func watchDeletion(t *testing.T, s store.Store) {
	w := watch(t, s, "", put(t, s, "k", "full"))
	put(t, s, "k", "")
	commit(t, s, nil, store.Delete("k"))
	if c := w.next(t).Changes[0]; c.Deleted || len(c.Value) != 0 {
		t.Fatalf("an empty value came as %+v", c)
	}
	if c := w.next(t).Changes[0]; !c.Deleted || c.Value != nil || c.Key != "k" {
		t.Fatalf("a deletion came as %+v", c)
	}
}

func watchSeveral(t *testing.T, s store.Store) {
	start := put(t, s, "a", "")
	idle := watch(t, s, "other/", start)
	var ws []*watcher
	for range 10 {
		ws = append(ws, watch(t, s, "a", start))
	}
	ws[0].cancel()
	var last store.Revision
	for i := range 20 {
		last = put(t, s, "a", fmt.Sprint(i))
	}
	for n, w := range ws[1:] {
		if got := len(w.until(t, last)); got != 20 {
			t.Errorf("watch %d saw %d changes, want 20", n+1, got)
		}
	}
	r := put(t, s, "other/x", "")
	if b := idle.next(t); b.Revision != r {
		t.Fatalf("the idle watch yields revision %d, want %d", b.Revision, r)
	}
}

func watchEnds(t *testing.T, s store.Store) {
	r := put(t, s, "k", "")
	idle, busy := watch(t, s, "none/", r), watch(t, s, "k", r-1)
	busy.next(t)
	for _, w := range []*watcher{idle, busy} {
		w.cancel()
		if err := w.end(t); err != nil {
			t.Fatalf("the watch ended with %v", err)
		}
	}
}

func watchBreak(t *testing.T, s store.Store) {
	first := put(t, s, "k", "1")
	put(t, s, "k", "2")
	for range 3 {
		n := 0
		for b, err := range s.Watch(deadline(t), "k", first-1) {
			if err != nil || b.Revision != first {
				t.Fatalf("the watch yields %+v, %v; want revision %d", b, err, first)
			}
			n++
			break
		}
		if n != 1 {
			t.Fatalf("the loop ran %d times", n)
		}
	}
}

func watchCompacted(t *testing.T, s store.Store) {
	c, ok := s.(Compacter)
	if !ok {
		t.Skip("left out: this store can not be told to forget history (storetest.Compacter)")
	}
	var revs []store.Revision
	for i := range 20 {
		revs = append(revs, put(t, s, "k", fmt.Sprint(i)))
	}
	live := watch(t, s, "", revs[19])
	if err := c.Compact(deadline(t), revs[10]); err != nil {
		t.Fatal(err)
	}
	for _, after := range []store.Revision{0, revs[0], revs[8]} {
		if err := watch(t, s, "", after).end(t); !errors.Is(err, store.ErrCompacted) {
			t.Fatalf("a watch after %d ended with %v, want ErrCompacted", after, err)
		}
	}
	if b := watch(t, s, "", revs[9]).next(t); b.Revision != revs[10] {
		t.Fatalf("a watch after %d yields %d, want %d", revs[9], b.Revision, revs[10])
	}
	if e := get(t, s, "k"); string(e.Value) != "19" {
		t.Fatalf("compacting changed the value to %q", e.Value)
	}
	if r := put(t, s, "k", "on"); live.next(t).Revision != r {
		t.Fatal("a watch that was up to date did not go on")
	}
	err := c.Compact(deadline(t), revs[19]+1000)
	wantKind(t, err, fault.Invalid)
}

// watchHead is how a reader knows that its view is fresh: every commit to objects also writes head, so a view that has
// reached the revision of head holds all that was committed before.
func watchHead(t *testing.T, s store.Store) {
	ctx := deadline(t)
	start := commit(t, s, nil, store.Put("o/head", nil), store.Put("o/n", []byte("0")))
	w := watch(t, s, "o/", start)
	at, view := start, "0"
	for i := range 50 {
		want := fmt.Sprint(i)
		commit(t, s, nil, store.Put("o/n", []byte(want)), store.Put("o/head", nil))
		for range 3 {
			put(t, s, "elsewhere", "does not touch head, so nobody waits for it")
		}
		head, err := s.Get(ctx, "o/head")
		if err != nil {
			t.Fatal(err)
		}
		for at < head.Revision {
			b := w.next(t)
			at = b.Revision
			n := slices.IndexFunc(b.Changes, func(c store.Change) bool { return c.Key == "o/n" })
			view = string(b.Changes[n].Value)
		}
		if view != want {
			t.Fatalf("at revision %d the view holds %s, want %s", at, view, want)
		}
	}
}
