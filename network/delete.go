package network

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// Delete records the wish that a network ends, and returns it, usually not yet deleted. It ends when its last interface is
// gone. Deleting twice is success.
func (m *Manager) Delete(ctx context.Context, id string) (Network, error) {
	const op = "network.Delete"
	err := m.view.Batch(ctx, "delete network", []string{id}, func(tx *view.Txn, id string) error {
		if _, ok := m.rows.Get(id); !ok {
			return errNotFound(op, id)
		}
		m.unwant(ctx, tx, id)
		return nil
	})
	if err != nil {
		return Network{}, fault.Wrap(op, id, err)
	}
	return m.Get(ctx, id)
}

// DeleteAll records the wish that every network of a namespace ends, "" for all there are. With used, those that have
// interfaces end when they have none any more, otherwise they are left alone and returned as inUse. Deleted are the others
// that are not deleted yet. Both are UUIDs, ascending. If it fails, some are wanted no more all the same.
func (m *Manager) DeleteAll(ctx context.Context, namespace string, used bool) (deleted, inUse []string, err error) {
	all, kept := []string{}, map[string]bool{}
	for _, n := range m.List(ctx, Filter{Namespace: namespace}) {
		all = append(all, n.ID)
	}
	err = m.view.Batch(ctx, "delete networks", all, func(tx *view.Txn, id string) error {
		row, ok := m.rows.Get(id)
		kept[id] = false
		switch {
		case !ok || !row.Value.Deleted.IsZero():
		case used:
			m.unwant(ctx, tx, id)
		case len(m.Interfaces(ctx, id)) > 0:
			kept[id] = true
		default:
			tx.Check(store.Empty(attachedKey(id, ""))) // nobody attaches one meanwhile
			m.unwant(ctx, tx, id)
		}
		return nil
	})
	deleted, inUse = []string{}, []string{}
	for _, id := range all {
		if kept[id] {
			inUse = append(inUse, id)
		} else {
			deleted = append(deleted, id)
		}
	}
	return deleted, inUse, fault.Wrap("network.DeleteAll", "", err)
}

// unwant adds to tx that a network is wanted no more. It adds nothing for one of which that is known, or that is gone.
func (m *Manager) unwant(ctx context.Context, tx *view.Txn, id string) {
	row, ok := m.rows.Get(id)
	if !ok || !row.Value.Deleted.IsZero() {
		return
	}
	r := row.Value
	r.Deleted = time.Now()
	tx.Check(m.rows.At(row, id))
	tx.Do(m.rows.Put(id, r), m.events.Op(ctx, about(id), event.Audit, "delete request", nil))
}
