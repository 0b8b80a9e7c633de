package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// patience bounds the wait for what must come. A store that keeps its promises never uses it up.
const patience = time.Minute

// deadline returns a context that ends before the test would hang.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// commit commits what must be accepted.
func commit(t *testing.T, s store.Store, checks []store.Check, ops ...store.Op) store.Revision {
	t.Helper()
	r, err := s.Commit(deadline(t), checks, ops)
	if err != nil {
		t.Fatalf("commit of %d checks and %d ops: %v", len(checks), len(ops), err)
	}
	return r
}

// put writes one key.
func put(t *testing.T, s store.Store, key, value string) store.Revision {
	t.Helper()
	return commit(t, s, nil, store.Put(key, []byte(value)))
}

// get reads a key that must be there.
func get(t *testing.T, s store.Store, key string) store.Entry {
	t.Helper()
	e, err := s.Get(deadline(t), key)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return e
}

// exists says whether a key is there.
func exists(t *testing.T, s store.Store, key string) bool {
	t.Helper()
	_, err := s.Get(deadline(t), key)
	if err != nil && !errors.Is(err, fault.NotFound) {
		t.Fatalf("get %q: %v", key, err)
	}
	return err == nil
}

// list reads one page that must be readable.
func list(t *testing.T, s store.Store, prefix, after string, limit int) store.Page {
	t.Helper()
	p, err := s.List(deadline(t), prefix, after, limit)
	if err != nil {
		t.Fatalf("list %q after %q: %v", prefix, after, err)
	}
	return p
}

// keys names the keys under a prefix.
func keys(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	return names(list(t, s, prefix, "", 0))
}

func names(p store.Page) []string {
	var k []string
	for _, e := range p.Entries {
		k = append(k, e.Key)
	}
	return k
}

// wantKeys demands that exactly these keys are under prefix.
func wantKeys(t *testing.T, s store.Store, prefix string, want ...string) {
	t.Helper()
	if got := keys(t, s, prefix); !slices.Equal(got, want) {
		t.Fatalf("keys under %q are %q, want %q", prefix, got, want)
	}
}

// wantKind demands an error of a kind.
func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("the error is %v, want one of kind %q", err, want)
	}
}

// wantFailed demands a conflict over exactly these checks.
func wantFailed(t *testing.T, err error, want ...store.Check) {
	t.Helper()
	wantKind(t, err, fault.Conflict)
	if got := store.FailedChecks(err); !slices.Equal(got, want) {
		t.Fatalf("failed checks are %v, want %v", got, want)
	}
}

// watcher reads a watch in the background.
type watcher struct {
	batches chan store.Batch
	ended   chan error // the last error, nil if there was none
	cancel  context.CancelFunc
}

// watch begins a watch that ends with the test at the latest.
func watch(t *testing.T, s store.Store, prefix string, after store.Revision) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watcher{batches: make(chan store.Batch, 1000), ended: make(chan error, 1), cancel: cancel}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var last error
		for b, err := range s.Watch(ctx, prefix, after) {
			if err != nil {
				last = err
				continue
			}
			select {
			case w.batches <- b:
			case <-ctx.Done():
			}
		}
		w.ended <- last
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Errorf("the watch under %q did not end with its context", prefix)
		}
	})
	return w
}

// next returns the next batch, which must come.
func (w *watcher) next(t *testing.T) store.Batch {
	t.Helper()
	select {
	case b := <-w.batches:
		return b
	case err := <-w.ended:
		t.Fatalf("the watch ended: %v", err)
	case <-time.After(patience):
		t.Fatalf("no change was seen within %v", patience)
	}
	return store.Batch{}
}

// until returns the changes up to and including the commit of revision r.
func (w *watcher) until(t *testing.T, r store.Revision) []store.Batch {
	t.Helper()
	var all []store.Batch
	for len(all) == 0 || all[len(all)-1].Revision < r {
		all = append(all, w.next(t))
	}
	if last := all[len(all)-1].Revision; last != r {
		t.Fatalf("the watch went past revision %d to %d", r, last)
	}
	return all
}

// end returns how the watch ended, which it must.
func (w *watcher) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		t.Fatalf("the watch did not end within %v", patience)
	}
	return nil
}
