package instance

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/store"
)

// Create records the wish for an instance, with its place, addresses and capacity, and returns it, usually in state
// Initial. Nothing is left behind when it fails: with fault.Invalid naming the field that is wrong, with fault.NotFound for
// a network, namespace or node that is not there, with fault.NotReady while a network is being made, with fault.Conflict
// for an address or MAC in use, and with fault.Exhausted, with the numbers, when there is no room.
func (m *Manager) Create(ctx context.Context, s Spec) (Instance, error) {
	const op = "instance.Create"
	if err := m.view.Opened(ctx); err != nil {
		return Instance{}, err
	}
	if _, err := m.Namespaces.Get(ctx, s.Namespace); err != nil {
		return Instance{}, err
	}
	if err := s.normalise(m.DefaultBus); err != nil {
		return Instance{}, err
	}
	if err := m.placeable(ctx, s.PlacedOn); err != nil {
		return Instance{}, err
	}
	id := uuid.NewString()
	err := m.grant(ctx, id, &s)
	if err != nil {
		return Instance{}, fault.Wrap(op, "", err)
	}
	return m.Get(ctx, id)
}

// add adds to tx that an instance is wanted, with all that it holds.
func (m *Manager) add(ctx context.Context, tx *view.Txn, id string, s *Spec) error {
	wanted, err := m.Networks.Resolve(ctx, s.Namespace, s.Networks)
	if err != nil {
		return err
	}
	if err := m.Namespaces.Own(tx, s.Namespace, "instance", id); err != nil {
		return err
	}
	name, verdicts, err := m.place(ctx, tx, s)
	if err != nil {
		return err
	}
	r := record{Spec: *s, Machine: s.machine(), Node: name, Created: time.Now(), Power: true, Turn: 1}
	if r.Images, err = m.images(ctx, tx, s); err != nil {
		return err
	}
	owner := network.Owner{Instance: id, Name: s.Name, Namespace: s.Namespace, Node: name}
	if _, err := m.Networks.Attach(tx, owner, wanted); err != nil {
		return err
	}
	if err := m.Metadata.Set(tx, "instance", id, s.Metadata); err != nil {
		return err
	}
	tx.Check(store.Absent(m.rows.Key(id)))
	tx.Do(m.rows.Put(id, r), m.statuses.Put(id, status{Node: name, State: Initial, Since: r.Created}),
		m.events.Op(ctx, about(id), event.Audit, "create request", map[string]any{"node": name, "considered": len(verdicts)}))
	return nil
}

// Delete records the wish that an instance ends, cuts off whatever is being done for it, and returns it, usually not yet
// deleted. Deleting twice is success.
func (m *Manager) Delete(ctx context.Context, id string) (Instance, error) {
	const op = "instance.Delete"
	err := m.view.Retry(ctx, func() error {
		row, ok := m.rows.Get(id)
		if !ok {
			return errNotFound(op, id)
		}
		if !row.Value.Deleted.IsZero() {
			return nil
		}
		r := row.Value
		r.Deleted = time.Now()
		tx := view.Txn{Name: "delete instance", Ref: id}
		tx.Check(m.rows.At(row, id))
		tx.Do(m.rows.Put(id, r), m.events.Op(ctx, about(id), event.Audit, "delete request", nil))
		_, err := m.view.Commit(ctx, tx)
		return err
	})
	if err != nil {
		return Instance{}, fault.Wrap(op, id, err)
	}
	return m.Get(ctx, id)
}
