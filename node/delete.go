package node

import (
	"context"
	"errors"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/store"
)

// Delete records that a node will not come back, and returns it. Soon what it held is given back, see OnDelete; its record
// can be read for a while. A daemon of that name that starts nevertheless makes the node anew. Deleting twice is success.
// It fails with fault.NotFound, and with fault.Conflict while the node is alive.
func (m *Manager) Delete(ctx context.Context, name string) (Node, error) {
	const op = "node.Delete"
	err := m.deps.View.Retry(ctx, func() error {
		row, ok := m.rows.Get(name)
		if !ok {
			return errNotFound(op, name)
		}
		if row.Value.State == Deleted {
			return nil
		}
		if _, lives := m.alive.Get(name); lives {
			return fault.New(op, fault.Conflict, name,
				"node %s is alive: stop its daemon first, and delete the node when it is stopped or missing", name)
		}
		r, err := move(row, m.toNode(row).State, Deleted)
		if err != nil {
			return err
		}
		tx := view.Txn{Name: "delete node", Ref: name}
		tx.Check(m.rows.At(row, name), store.Absent(m.alive.Key(name)))
		tx.Do(m.rows.Put(name, r), m.deps.Events.Op(ctx, about(name), event.Audit, "delete request", nil))
		_, err = m.deps.View.Commit(ctx, tx)
		return err
	})
	if err != nil {
		return Node{}, fault.Wrap(op, name, err)
	}
	m.chores.Wake(name)
	return m.Get(ctx, name)
}

// OnDelete has each f called, in order and until it succeeds, for every node that was deleted: it takes away what counted
// on the node. Every commit of f carries the check gone, which fails once the node is back. It must be called before Chores;
// f can be called again for what it did already.
func (m *Manager) OnDelete(f ...func(ctx context.Context, name string, gone store.Check) error) {
	m.onDelete = append(m.onDelete, f...)
}

// Maintainer returns the name of the node that sees to nodes that are gone: the first, by name, that takes part. It is "" if
// none does. Nothing depends on all agreeing on it.
func (m *Manager) Maintainer() string {
	for _, row := range m.rows.All() {
		if m.toNode(row).State == Created {
			return row.ID
		}
	}
	return ""
}

// Chores sees to nodes that are gone until ctx ends.
func (m *Manager) Chores(ctx context.Context) { m.chores.Run(ctx) }

// uncleared lists the deleted nodes that may still hold something. Usually the process that deleted a node has cleared it;
// should it have died over that, the maintainer does.
func (m *Manager) uncleared() []string {
	var names []string
	if m.Maintainer() == m.deps.Name {
		for _, row := range m.rows.All() {
			if row.Value.State == Deleted && !row.Value.Cleared {
				names = append(names, row.ID)
			}
		}
	}
	return names
}

// clear takes from a deleted node what counted on it.
func (m *Manager) clear(ctx context.Context, name string) (time.Duration, error) {
	row, ok := m.rows.Get(name)
	if !ok || row.Value.State != Deleted || row.Value.Cleared {
		return 0, nil
	}
	gone := m.rows.At(row, name)
	for _, f := range m.onDelete {
		if err := f(ctx, name, gone); err != nil {
			return 0, fault.Wrap("node.clear", name, err)
		}
	}
	r := row.Value
	r.Cleared = true
	tx := view.Txn{Name: "clear node", Ref: name}
	tx.Check(gone)
	tx.Do(m.rows.Put(name, r), m.deps.Events.Op(ctx, about(name), event.Status, "what it held was given back", nil))
	_, err := m.deps.View.Commit(ctx, tx)
	return 0, err
}

// forget drops the records of nodes that were deleted longer ago than Linger.
func (m *Manager) forget(ctx context.Context) error {
	if m.Maintainer() != m.deps.Name {
		return nil
	}
	for _, row := range m.rows.All() {
		r := row.Value
		if r.State != Deleted || !r.Cleared || time.Since(r.Changed) < m.deps.Linger {
			continue
		}
		tx := view.Txn{Name: "forget node", Ref: row.ID}
		tx.Check(m.rows.At(row, row.ID))
		tx.Do(m.rows.Delete(row.ID), metadata.Gone(metadata.Node, row.ID))
		tx.Do(m.deps.Events.Forget(about(row.ID))...)
		if _, err := m.deps.View.Commit(ctx, tx); err != nil && !errors.Is(err, fault.Conflict) {
			return err
		}
	}
	return nil
}

// Gone reports whether a node is gone for good: it was deleted, or nobody remembers it. The check holds as long as that does.
func (m *Manager) Gone(name string) (store.Check, bool) {
	row, ok := m.rows.Get(name)
	switch {
	case ok:
		return m.rows.At(row, name), row.Value.State == Deleted
	case m.rows.Unreadable(name):
		return store.Check{}, false // by this program; a newer one wrote it
	}
	return store.Absent(m.rows.Key(name)), true
}
