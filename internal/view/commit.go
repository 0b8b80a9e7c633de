package view

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/store"
)

// Txn is a commit being put together.
type Txn struct {
	Name   string // what it does, as users and step lists name it: "create instance"
	Ref    string // the object it is about
	Checks []store.Check
	Ops    []store.Op
}

// Check adds conditions.
func (t *Txn) Check(c ...store.Check) { t.Checks = append(t.Checks, c...) }

// Do adds writes.
func (t *Txn) Do(o ...store.Op) { t.Ops = append(t.Ops, o...) }

// Replace adds a write, in place of one of the same key.
func (t *Txn) Replace(o store.Op) {
	for i := range t.Ops {
		if t.Ops[i].Key == o.Key {
			t.Ops[i] = o
			return
		}
	}
	t.Do(o)
}

// Clone returns a copy that can grow apart from t.
func (t *Txn) Clone() Txn {
	c := *t
	c.Checks, c.Ops = slices.Clone(t.Checks), slices.Clone(t.Ops)
	return c
}

// Fits reports whether t can be committed at once, with the head.
func (t *Txn) Fits() bool {
	return store.Validate(t.Checks, t.withHead()) == nil
}

// withHead returns the ops as Commit writes them.
func (t *Txn) withHead() []store.Op {
	if !t.touchesObjects() {
		return t.Ops
	}
	return append(slices.Clip(t.Ops), store.Put(head, nil))
}

// Commit commits t and waits until this view holds it. It fails as store.Store.Commit does.
func (v *View) Commit(ctx context.Context, t Txn) (store.Revision, error) {
	r, err := v.store.Commit(step.Named(ctx, "commit "+t.Name, t.Ref), t.Checks, t.withHead())
	if err != nil {
		return r, fault.Wrap(t.Name, t.Ref, err)
	}
	if !t.touchesObjects() {
		return r, nil // the view never hears of it
	}
	bounded, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if err := v.reach(bounded, r); err != nil {
		// The commit holds all the same; only reading it back is late.
		v.log.WarnContext(ctx, "own commit not seen in time", slog.String("commit", t.Name), slog.String("ref", t.Ref))
	}
	return r, nil
}

func (t *Txn) touchesObjects() bool {
	for _, o := range t.Ops {
		if strings.HasPrefix(o.Key, Prefix) {
			return true
		}
	}
	return false
}

// tries bounds how often Retry meets a conflict before it gives up.
const tries = 30

// Retry calls f, which reads the view, decides and commits, again as long as it meets a conflict: each time after the
// view has caught up with the store, with growing jitter. A conflict that f itself decided on (not a failed check) is
// returned at once.
func (v *View) Retry(ctx context.Context, f func() error) error {
	var err error
	for i := range tries {
		if err = f(); err == nil || store.FailedChecks(err) == nil {
			return err
		}
		if err := v.Fresh(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(rand.N(time.Duration(i+1) * 2 * time.Millisecond)): //nolint:gosec // jitter
		}
	}
	return fault.Because("view.Retry", fault.Unavailable, "", err, "others kept changing the same objects; try again")
}
