package node

import (
	"context"
	"os"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// Join makes this process its node's: from now on Fence holds. It replaces a process of the same node that died without
// a word; that one's writes are refused from then on.
func (m *Manager) Join(ctx context.Context) (store.Lease, error) { return m.join(ctx, ctx) }

// join is Join with a lease that lasts until life ends.
func (m *Manager) join(ctx, life context.Context) (store.Lease, error) {
	lease, err := m.deps.View.Store().Lease(life, m.deps.TTL)
	if err != nil {
		return nil, fault.Wrap("node.Join", m.deps.Name, err)
	}
	inventory := m.inventory(ctx)
	row, _ := m.rows.Get(m.deps.Name)
	r, err := move(row, row.Value.State, m.present())
	if err != nil {
		_ = lease.Release(context.WithoutCancel(ctx))
		return nil, err
	}
	r.Inventory = inventory
	tx := view.Txn{Name: "join node", Ref: m.deps.Name}
	tx.Do(m.rows.Put(m.deps.Name, r), m.event(ctx, "joined the cloud"),
		store.PutLeased(m.alive.Key(m.deps.Name), m.alive.Encode(alive{Since: time.Now(), PID: os.Getpid()}), lease))
	revision, err := m.deps.View.Commit(ctx, tx)
	if err != nil {
		_ = lease.Release(context.WithoutCancel(ctx))
		return nil, err
	}
	m.mu.Lock()
	m.fence = revision
	m.mu.Unlock()
	return lease, nil
}

func (m *Manager) event(ctx context.Context, message string) store.Op {
	return m.deps.Events.Op(ctx, about(m.deps.Name), event.Status, message, nil)
}

// present is the state of a node that this process speaks for.
func (m *Manager) present() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.retiring {
		return Stopping
	}
	return Created
}

// Retire says that this process is about to leave: from now on its node gets nothing new, and shows that it is stopping.
// Run must still be ended. A store that does not answer keeps nobody from leaving.
func (m *Manager) Retire(ctx context.Context) {
	m.mu.Lock()
	m.retiring = true
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, parting)
	defer cancel()
	_ = m.deps.View.Retry(ctx, func() error { // if it fails the others learn a little later, when the node has left
		row, ok := m.rows.Get(m.deps.Name)
		if !ok || row.Value.State != Created {
			return nil
		}
		r, err := move(row, Created, Stopping)
		if err != nil {
			return err
		}
		tx := view.Txn{Name: "retire node", Ref: m.deps.Name}
		tx.Check(m.rows.At(row, m.deps.Name), m.Fence())
		tx.Do(m.rows.Put(m.deps.Name, r), m.event(ctx, "stopping"))
		_, err = m.deps.View.Commit(ctx, tx)
		return err
	})
}

// Run keeps the node alive and its inventory true until ctx ends, and then leaves in order. Lease is Join's.
func (m *Manager) Run(ctx context.Context, lease store.Lease) {
	// A lease that replaces a lost one has to outlast ctx, too: leaving in order speaks for the node.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	tick := time.NewTicker(m.deps.Resync)
	defer tick.Stop()
	for {
		recovered := m.recovery()
		select {
		case <-ctx.Done():
			m.leave(context.WithoutCancel(ctx), lease)
			return
		case <-lease.Done():
			if again, err := m.join(ctx, life); err == nil {
				lease = again
			} else {
				select { // the store is away; the lease is gone already, so there is no hurry
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		case <-m.look:
			m.observe(ctx)
		case <-tick.C:
			m.observe(ctx)
		case <-recovered:
			m.observe(ctx)
		}
	}
}

const (
	// answering bounds a look at the machine. A hypervisor that hangs must keep nobody from seeing that the lease is lost.
	answering = 10 * time.Second
	// recovering is when a machine that can't take guests is looked at again. Nobody else may come to tell that it can.
	recovering = time.Second
	// parting bounds each word of a process that leaves. The lease runs out soon in any case.
	parting = 3 * time.Second
)

// inventory looks at this machine.
func (m *Manager) inventory(ctx context.Context) Inventory {
	ctx, cancel := context.WithTimeoutCause(ctx, answering, fault.New("node.inventory", fault.Unavailable, m.deps.Name,
		"the machine did not answer in %s", answering))
	defer cancel()
	return m.deps.Inventory(ctx)
}

// recovery tells when to look again at a machine that can't take guests; never if it can.
func (m *Manager) recovery() <-chan time.Time {
	if row, ok := m.rows.Get(m.deps.Name); ok && row.Value.Inventory.Down != "" {
		return time.After(recovering)
	}
	return nil
}

// leave says goodbye, so that nobody waits for the lease to run out.
func (m *Manager) leave(ctx context.Context, lease store.Lease) {
	ctx, cancel := context.WithTimeout(ctx, parting)
	defer cancel()
	row, ok := m.rows.Get(m.deps.Name)
	if r, err := move(row, row.Value.State, Stopped); ok && err == nil {
		tx := view.Txn{Name: "leave node", Ref: m.deps.Name}
		tx.Check(m.Fence())
		tx.Do(m.rows.Put(m.deps.Name, r), m.event(ctx, "left the cloud"), store.Delete(m.alive.Key(m.deps.Name)))
		_, _ = m.deps.View.Commit(ctx, tx) // if it fails the lease runs out, which says the same a little later
	}
	_ = lease.Release(ctx)
}

// observe writes the inventory down if it changed in a way that matters to anybody.
func (m *Manager) observe(ctx context.Context) {
	row, ok := m.rows.Get(m.deps.Name)
	if !ok {
		return
	}
	now := m.inventory(ctx)
	if !differs(row.Value.Inventory, now) {
		return
	}
	r := row.Value
	message := "inventory changed"
	switch {
	case now.Down != "" && r.Inventory.Down == "":
		message = "hypervisor went down: " + now.Down
	case now.Down == "" && r.Inventory.Down != "":
		message = "hypervisor came back"
	}
	r.Inventory = now
	tx := view.Txn{Name: "observe node", Ref: m.deps.Name}
	tx.Check(m.Fence(), m.rows.At(row, m.deps.Name))
	tx.Do(m.rows.Put(m.deps.Name, r), m.event(ctx, message))
	_, _ = m.deps.View.Commit(ctx, tx) // the next look tries again
}

// differs ignores small moves of the free disk space: an idle node writes nothing.
func differs(a, b Inventory) bool {
	drift := max(a.DiskFree, b.DiskFree) - min(a.DiskFree, b.DiskFree)
	if drift < max(1<<30, b.DiskTotal/50) {
		a.DiskFree = b.DiskFree
	}
	return a != b
}
