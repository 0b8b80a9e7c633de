package instance

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// Delete records the wish that an instance ends, cuts off whatever is being done for it, and returns it, usually not yet
// deleted. Deleting twice is success.
func (m *Manager) Delete(ctx context.Context, id string) (Instance, error) {
	const op = "instance.Delete"
	err := m.view.Batch(ctx, "delete instance", []string{id}, func(tx *view.Txn, id string) error {
		if _, ok := m.rows.Get(id); !ok {
			return errNotFound(op, id)
		}
		m.unwant(ctx, tx, id)
		return nil
	})
	if err != nil {
		return Instance{}, fault.Wrap(op, id, err)
	}
	return m.Get(ctx, id)
}

// DeleteAll records the wish that every instance of a namespace ends, "" for all there are, and returns the UUIDs of those
// that are not deleted yet, ascending. If it fails, some are wanted no more all the same.
func (m *Manager) DeleteAll(ctx context.Context, namespace string) (ids []string, err error) {
	ids = []string{}
	for _, i := range m.List(ctx, Filter{Namespace: namespace}) {
		ids = append(ids, i.ID)
	}
	err = m.view.Batch(ctx, "delete instances", ids, func(tx *view.Txn, id string) error {
		m.unwant(ctx, tx, id)
		return nil
	})
	return ids, fault.Wrap("instance.DeleteAll", "", err)
}

// unwant adds to tx that an instance is wanted no more. It adds nothing for one of which that is known, or that is gone.
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
