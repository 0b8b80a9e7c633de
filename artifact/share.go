package artifact

import (
	"context"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// Share has every namespace use an artifact, and returns it. Sharing twice is success. It fails with fault.NotFound, and with
// fault.Forbidden unless it is one of the namespace system.
func (m *Manager) Share(ctx context.Context, id string) (Artifact, error) {
	const op = "artifact.Share"
	return m.setShared(ctx, op, id, func(r *record) error {
		if r.Namespace != system {
			return fault.New(op, fault.Forbidden, id, "only artifacts in the system namespace can be shared")
		}
		r.Shared = true
		return nil
	})
}

// Unshare ends that. What instances use of it stays with them. It fails with fault.NotFound, and with fault.Forbidden if the
// artifact is not shared.
func (m *Manager) Unshare(ctx context.Context, id string) (Artifact, error) {
	const op = "artifact.Unshare"
	return m.setShared(ctx, op, id, func(r *record) error {
		if !r.Shared {
			return fault.New(op, fault.Forbidden, id, "artifact not shared")
		}
		r.Shared = false
		return nil
	})
}

func (m *Manager) setShared(ctx context.Context, op, id string, change func(*record) error) (Artifact, error) {
	err := m.View.Retry(ctx, func() error {
		row, err := m.live(op, id)
		if err != nil {
			return err
		}
		r := row.Value
		if err := change(&r); err != nil || r == row.Value {
			return err
		}
		tx := view.Txn{Name: "share artifact", Ref: id}
		tx.Check(m.rows.At(row, id))
		tx.Do(m.rows.Put(id, r))
		message := "shared"
		if !r.Shared {
			message = "unshared"
		}
		state := stateOf(r, m.status(id))
		if err := m.move(ctx, &tx, id, state, state, event.Audit, message, nil); err != nil {
			return err
		}
		_, err = m.View.Commit(ctx, tx)
		return err
	})
	if err != nil {
		return Artifact{}, fault.Wrap(op, id, err)
	}
	return m.Get(ctx, id)
}
