package blob

import (
	"context"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// NodeDeleted notes that content is not on a node any more that was deleted. It is for node.Manager.OnDelete. What the node
// still has, should it come back, is found again there.
func (m *Manager) NodeDeleted(ctx context.Context, name string, gone store.Check) error {
	var ids []string
	for _, row := range m.locations.By("node", name) {
		ids = append(ids, blobOf(row.ID))
	}
	return m.View.Batch(ctx, "drop blob locations", ids, func(tx *view.Txn, id string) error {
		location, ok := m.locations.Get(id + "/" + name)
		if !ok {
			return nil // the blob went meanwhile
		}
		if len(tx.Checks) == 0 {
			tx.Check(gone)
			m.Fence.Guard(tx)
		}
		tx.Check(m.locations.At(location, location.ID))
		tx.Do(m.locations.Delete(location.ID),
			m.Events.Op(ctx, about(id), event.Status, "content lost on node "+name, map[string]any{"reason": "the node was deleted"}))
		return nil
	})
}
