package instance

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/network"
)

// granting bounds how long a commit of wishes may be tried.
const granting = 30 * time.Second

// A wish is an instance that somebody asked for and waits to hear of.
type wish struct {
	ctx      context.Context //nolint:containedctx // of the caller who waits, for as long as they wait
	id       string
	spec     *Spec
	answered bool
	answer   chan error // gets one
}

func (w *wish) tell(err error) {
	if !w.answered {
		w.answered = true
		w.answer <- err
	}
}

// counter is where wishes wait. They would all meet at their node's capacity key if each were committed by itself, and the
// more there are the fewer would get through. So one goroutine commits for all, as many at once as fit into one commit.
type counter struct {
	mu      sync.Mutex
	queue   []*wish // guarded by mu
	serving bool    // guarded by mu
}

// grant commits a wish, together with others that wait at the same time.
func (m *Manager) grant(ctx context.Context, id string, s *Spec) error {
	w := &wish{ctx: ctx, id: id, spec: s, answer: make(chan error, 1)}
	m.counter.mu.Lock()
	m.counter.queue = append(m.counter.queue, w)
	if !m.counter.serving {
		m.counter.serving = true
		go m.serve() //nolint:contextcheck // ends when nobody waits; each wish brings a context of its own
	}
	m.counter.mu.Unlock()
	select {
	case err := <-w.answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// serve commits wishes until none is left.
func (m *Manager) serve() {
	for {
		m.counter.mu.Lock()
		wishes := m.counter.queue
		m.counter.queue = nil
		m.counter.serving = len(wishes) > 0
		m.counter.mu.Unlock()
		if len(wishes) == 0 {
			return
		}
		for len(wishes) > 0 {
			wishes = m.grantSome(wishes)
		}
	}
}

// grantSome commits the first of the wishes, as many as fit, and returns the others.
func (m *Manager) grantSome(wishes []*wish) (left []*wish) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(wishes[0].ctx), granting)
	defer cancel()
	var granted []*wish
	err := m.view.Retry(ctx, func() error {
		var tx view.Txn
		tx, granted, left = m.collect(wishes)
		if len(granted) == 0 {
			return nil
		}
		_, err := m.view.Commit(ctx, tx)
		refuseTakenMAC(granted, err)
		if !slices.ContainsFunc(granted, func(w *wish) bool { return !w.answered }) {
			return nil // nobody is left to try again for
		}
		return err
	})
	for _, w := range granted {
		w.tell(tooLarge(err))
	}
	return left
}

// tooLarge says of a commit that no store would accept why that is.
func tooLarge(err error) error {
	if !errors.Is(err, fault.Invalid) {
		return err
	}
	return fault.Because("instance.Create", fault.Invalid, "", err, "the request is too large to be recorded")
}

// collect puts the wishes that can be granted into one transaction, as long as it is not too large, and answers those that
// can't be.
func (m *Manager) collect(wishes []*wish) (tx view.Txn, granted, left []*wish) {
	tx.Name = "create instance"
	for i, w := range wishes {
		if w.answered {
			continue
		}
		if err := w.ctx.Err(); err != nil {
			w.tell(err)
			continue
		}
		if len(granted) > 0 && w.alone() {
			return tx, granted, wishes[i:]
		}
		with := tx.Clone()
		if _, err := m.add(w.ctx, &with, w.id, w.spec); err != nil {
			w.tell(err)
			continue
		}
		if len(granted) > 0 && !with.Fits() {
			return tx, granted, wishes[i:]
		}
		tx, granted = with, append(granted, w)
		tx.Ref = granted[0].id
		if w.alone() {
			return tx, granted, wishes[i+1:]
		}
	}
	return tx, granted, nil
}

// alone reports whether a wish depends on where others are: they must be known first.
func (w *wish) alone() bool {
	return w.spec.Metadata["affinity"] != nil || w.spec.Metadata["tags"] != nil
}

// refuseTakenMAC answers whoever asked for a MAC that a failed commit found taken: trying again can't help them.
func refuseTakenMAC(wishes []*wish, err error) {
	for _, w := range wishes {
		if taken := w.spec.takenMAC(err); taken != nil {
			w.tell(taken)
		}
	}
}

// takenMAC returns the error for a spec that asks for the MAC that a failed commit found taken, nil for others.
func (s *Spec) takenMAC(err error) error {
	mac, taken := network.MACTaken(err)
	if !taken {
		return nil
	}
	for _, n := range s.Networks {
		if asked, err := network.ParseMAC(n.MAC); err == nil && asked == mac {
			return fault.New("instance.Create", fault.Conflict, "", "macaddress %s is in use", mac)
		}
	}
	return nil
}

// claimCapacity adds to tx that a node has promised share, too.
func (m *Manager) claimCapacity(tx *view.Txn, name string, share capacity) {
	row, _ := m.capacity.Get(name)
	promised := row.Value
	if pending, ok := m.capacity.Pending(tx, name); ok {
		promised = pending
	} else {
		tx.Check(m.capacity.At(row, name))
	}
	tx.Replace(m.capacity.Put(name, promised.plus(share)))
}

// promised is what a node has promised, with what tx is about to.
func (m *Manager) promised(tx *view.Txn, name string) (c capacity, growing int64) {
	growing = int64(m.statuses.Count("building", name))
	row, _ := m.capacity.Get(name)
	c = row.Value
	if pending, ok := m.capacity.Pending(tx, name); ok {
		growing += pending.Instances - c.Instances
		c = pending
	}
	return c, growing
}
