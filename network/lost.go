package network

import (
	"context"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// NodeDeleted takes the gateways from a node that was deleted: another one adopts them. It is for node.Manager.OnDelete.
func (m *Manager) NodeDeleted(ctx context.Context, name string, gone store.Check) error {
	var ids []string
	for _, row := range m.rows.All() {
		if row.Value.Node == name && m.status(row.ID).State != Deleted {
			ids = append(ids, row.ID)
		}
	}
	return m.view.Batch(ctx, "take gateways", ids, func(tx *view.Txn, id string) error {
		row, ok := m.rows.Get(id)
		if !ok || row.Value.Node != name {
			return nil
		}
		if len(tx.Checks) == 0 {
			tx.Check(gone, m.fence())
		}
		r := row.Value
		r.Node = ""
		tx.Check(m.rows.At(row, id))
		tx.Do(m.rows.Put(id, r), m.events.Op(ctx, about(id), event.Status, "gateway lost", map[string]any{"cause": "node " + name + " was deleted"}))
		return nil
	})
}
