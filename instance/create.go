package instance

import (
	"context"
	"errors"
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
// a network, namespace, node or base that is not there, with fault.NotReady while a network is being made, with fault.Conflict
// for an address or MAC in use, and with fault.Exhausted, with the numbers, when there is no room.
func (m *Manager) Create(ctx context.Context, s Spec) (Instance, error) {
	const op = "instance.Create"
	if err := m.check(ctx, &s); err != nil {
		return Instance{}, err
	}
	id := uuid.NewString()
	err := m.grant(ctx, id, &s)
	if err != nil {
		return Instance{}, fault.Wrap(op, "", err)
	}
	return m.Get(ctx, id)
}

// DryRun returns where Create would put an instance now, or that no node has room for it, with the verdict on every node.
// It fails as Create would for any other reason, and writes nothing.
func (m *Manager) DryRun(ctx context.Context, s Spec) (d Decision, err error) {
	const op = "instance.DryRun"
	if err := m.check(ctx, &s); err != nil {
		return Decision{}, err
	}
	id := uuid.NewString()
	err = m.view.Retry(ctx, func() (err error) {
		tx := view.Txn{Name: "try to create instance", Ref: id}
		if d, err = m.add(ctx, &tx, id, &s); err != nil {
			return err
		}
		err = m.view.Try(ctx, tx)
		if taken := s.takenMAC(err); taken != nil {
			return taken
		}
		return tooLarge(err)
	})
	if errors.Is(err, fault.Exhausted) && d.Node == "" {
		return d, nil
	}
	if err != nil {
		return Decision{}, fault.Wrap(op, "", err)
	}
	return d, nil
}

// check fills in defaults and fails with what is wrong with s before anything is looked up for it.
func (m *Manager) check(ctx context.Context, s *Spec) error {
	if err := m.view.Opened(ctx); err != nil {
		return err
	}
	if _, err := m.Namespaces.Get(ctx, s.Namespace); err != nil {
		return err
	}
	if err := s.normalise(m.DefaultBus); err != nil {
		return err
	}
	return m.placeable(ctx, s.PlacedOn)
}

// add adds to tx that an instance is wanted, with all that it holds. If no node can take it, the decision says so too.
func (m *Manager) add(ctx context.Context, tx *view.Txn, id string, s *Spec) (Decision, error) {
	made, err := m.resolve(ctx, s)
	if err != nil {
		return Decision{}, err
	}
	wanted, err := m.Networks.Resolve(ctx, s.Namespace, s.Networks)
	if err != nil {
		return Decision{}, err
	}
	if err := m.Namespaces.Own(tx, s.Namespace, "instance", id); err != nil {
		return Decision{}, err
	}
	d, err := m.place(ctx, tx, s, made.images)
	if err != nil {
		return d, err
	}
	r := record{
		Spec: *s, Machine: s.machine(), Node: d.Node, Created: time.Now(), Power: true, Turn: 1,
		Images: made.images, NVRAM: made.nvram,
	}
	if err := m.refer(ctx, tx, id, &r); err != nil {
		return d, err
	}
	owner := network.Owner{Instance: id, Name: s.Name, Namespace: s.Namespace, Node: d.Node}
	if _, err := m.Networks.Attach(tx, owner, wanted); err != nil {
		return d, err
	}
	if err := m.Metadata.Set(tx, "instance", id, s.Metadata); err != nil {
		return d, err
	}
	tx.Check(store.Absent(m.rows.Key(id)))
	tx.Do(m.rows.Put(id, r), m.statuses.Put(id, status{Node: d.Node, State: Initial, Since: r.Created}),
		m.events.Op(ctx, about(id), event.Audit, "create request", map[string]any{"node": d.Node, "considered": len(d.Verdicts)}))
	return d, nil
}
