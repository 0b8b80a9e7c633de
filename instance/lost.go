package instance

import (
	"context"
	"errors"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// NodeDeleted ends what was on a node that was deleted: its instances get state Error, or Deleted if that was asked for, and
// hold nothing any more. It is for node.Manager.OnDelete. Should the node come back, it finds that nobody wants its guests,
// and removes them.
func (m *Manager) NodeDeleted(ctx context.Context, name string, gone store.Check) error {
	if err := m.closeNode(ctx, name, gone); err != nil {
		return err
	}
	for _, row := range m.rows.By("node", name) {
		if err := m.lose(ctx, row, gone); err != nil {
			return err
		}
	}
	for _, row := range m.takings.By("node", name) {
		if err := m.dropTaking(ctx, row, "node "+name+", which took the snapshot, was deleted", gone); err != nil {
			return err
		}
	}
	return nil
}

// closeNode refuses every create that was decided before the node was known to be deleted: its check of the capacity fails.
// The creates that were committed before are in the view from here on.
func (m *Manager) closeNode(ctx context.Context, name string, gone store.Check) error {
	row, _ := m.capacity.Get(name)
	tx := view.Txn{Name: "close node", Ref: name}
	tx.Check(gone, m.capacity.At(row, name))
	tx.Do(m.capacity.Put(name, row.Value))
	_, err := m.view.Commit(ctx, tx)
	return err
}

// lose ends an instance whose node is gone.
func (m *Manager) lose(ctx context.Context, row row, gone store.Check) error {
	s, ok := m.statuses.Get(row.ID)
	wanted := row.Value.Deleted.IsZero()
	if !ok || s.Value.State == Deleted || s.Value.State == Error && wanted {
		return nil
	}
	why := "node " + row.Value.Node + ", which ran the instance, was deleted"
	tx := view.Txn{Name: "lose instance", Ref: row.ID}
	tx.Check(gone, m.rows.At(row, row.ID))
	var err error
	if wanted {
		err = m.move(ctx, &tx, row.ID, Error, "lost", func(s *status) {
			s.Error, s.Freed = why, true
			if s.Power != "" {
				s.Power = hypervisor.PowerOff
			}
		})
	} else {
		err = m.move(ctx, &tx, row.ID, Deleted, "deleted", func(s *status) { s.Power, s.Error, s.Freed = "", "", true })
		m.Namespaces.Disown(&tx, row.Value.Spec.Namespace, "instance", row.ID)
	}
	if err != nil {
		return err
	}
	if !s.Value.Freed {
		m.giveBack(ctx, &tx, row)
	}
	_, err = m.view.Commit(ctx, tx)
	return err
}

// bury deletes an instance that was lost with its node, when its end is asked for afterwards. There is no node that could; one
// of the others does.
func (m *Manager) bury(ctx context.Context, row row) error {
	gone, ok := m.Nodes.Gone(row.Value.Node)
	if !ok || row.Value.Deleted.IsZero() || m.Nodes.Maintainer() != m.Nodes.Name() {
		return nil
	}
	return m.lose(ctx, row, gone)
}

// unburied lists the instances that bury has to look at, on the node whose business that is.
func (m *Manager) unburied() []string {
	if m.Nodes.Maintainer() != m.Nodes.Name() {
		return nil
	}
	var ids []string
	for _, s := range m.statuses.By("state", string(Error)) { // those that were lost are in no other
		row, ok := m.rows.Get(s.ID)
		if !ok || row.Value.Deleted.IsZero() {
			continue
		}
		if _, gone := m.Nodes.Gone(row.Value.Node); gone {
			ids = append(ids, row.ID)
		}
	}
	return ids
}

// forgetNodes drops the capacity of nodes that nobody remembers.
func (m *Manager) forgetNodes(ctx context.Context) error {
	for _, row := range m.capacity.All() {
		gone, ok := m.Nodes.Gone(row.ID)
		if !ok || gone.Kind != store.CheckAbsent || row.Value.Instances > 0 {
			continue
		}
		tx := view.Txn{Name: "forget capacity", Ref: row.ID}
		tx.Check(gone, m.capacity.At(row, row.ID))
		tx.Do(m.capacity.Delete(row.ID))
		if _, err := m.view.Commit(ctx, tx); err != nil && !errors.Is(err, fault.Conflict) {
			return err
		}
	}
	return nil
}
