package artifact

import (
	"context"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// NodeDeleted has this node do what a node that was deleted should have done for artifacts: fetches that are awaited, and the
// end of what was deleted. It is for node.Manager.OnDelete.
func (m *Manager) NodeDeleted(ctx context.Context, name string, gone store.Check) error {
	var ids []string
	for _, row := range m.rows.By("node", name) {
		ids = append(ids, row.ID)
	}
	return m.View.Batch(ctx, "take over artifacts", ids, func(tx *view.Txn, id string) error {
		row, ok := m.rows.Get(id)
		if !ok || row.Value.Fetch.Node != name {
			return nil
		}
		if len(tx.Checks) == 0 {
			tx.Check(gone)
			m.Fence.Guard(tx)
		}
		r := row.Value
		r.Fetch.Node = m.Node
		tx.Check(m.rows.At(row, id))
		tx.Do(m.rows.Put(id, r), m.Events.Op(ctx, about(id), event.Status, "taken over", map[string]any{"cause": "node " + name + " was deleted"}))
		return nil
	})
}
