package blob

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// reconcile takes the next steps for one blob on this node.
func (m *Manager) reconcile(ctx context.Context, id string) (time.Duration, error) {
	if m.isHeld(id) {
		return 0, nil // letting it go looks again
	}
	row, ok := m.rows.Get(id)
	if !ok {
		return 0, m.removeStray(ctx, id)
	}
	l, here := m.copyHere(id)
	switch row.Value.state() {
	case Deleted:
		return 0, m.dismantle(ctx, id, here)
	case Created:
		lost := m.locations.Count("blob", id) == 0
		if m.refs.Count("blob", id) == 0 && (here || lost) {
			return 0, m.end(ctx, id)
		}
		if err := errors.Join(m.removeStrays(ctx, id), m.dropStale(ctx, id)); err != nil {
			return 0, err
		}
		if !here {
			return 0, errors.Join(m.adopt(ctx, row), m.tend(ctx, row))
		}
		return 0, errors.Join(m.keep(ctx, row, l), m.tend(ctx, row))
	}
	return 0, nil
}

// end ends a blob that nobody refers to, in a commit that conflicts with every new reference. It refers to nothing any more
// itself, and nobody needs what was made of it.
func (m *Manager) end(ctx context.Context, id string) error {
	return m.View.Retry(ctx, func() error {
		row, ok := m.rows.Get(id)
		if !ok || row.Value.state() == Deleted || m.refs.Count("blob", id) > 0 {
			return nil
		}
		tx := view.Txn{Name: "end blob", Ref: id}
		tx.Check(store.Empty(m.refs.Key(refPrefix(id))))
		if err := m.move(ctx, &tx, row, Deleted, "deleted: nothing refers to it any more"); err != nil {
			return err
		}
		if base := row.Value.DependsOn; base != "" {
			m.DropRef(&tx, base, Owner{Kind: Child, ID: id})
		}
		for _, t := range m.transcodesOf(id) {
			tx.Do(m.refs.Delete(t.ID))
		}
		return m.commit(ctx, tx)
	})
}

// dismantle removes the files of a deleted blob, and then says that they are gone.
func (m *Manager) dismantle(ctx context.Context, id string, here bool) error {
	m.forget(id)
	if err := m.removeFiles(ctx, id); err != nil || !here {
		return err
	}
	return m.dropLocation(ctx, id, "")
}

func (m *Manager) dropLocation(ctx context.Context, id, why string) error {
	tx := view.Txn{Name: "drop blob location", Ref: id}
	tx.Do(m.locations.Delete(id + "/" + m.Node))
	if why != "" {
		tx.Do(m.Events.Op(ctx, about(id), event.Status, "content lost on node "+m.Node, map[string]any{"reason": why}))
	}
	return m.commit(ctx, tx)
}

// keep sees that the content of a blob is here as recorded.
func (m *Manager) keep(ctx context.Context, row view.Row[record], l view.Row[location]) error {
	info, err := os.Lstat(m.Path(row.ID))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m.lose(ctx, row.ID, "the file "+m.Path(row.ID)+" is gone")
	case err != nil:
		return fault.Because("blob.keep", fault.Internal, row.ID, err, "the content cannot be looked at")
	case l.Value.Bad == "":
		if bad := misfit(info, row.Value.Size); bad != "" {
			return m.note(ctx, row, l, bad)
		}
	}
	return nil
}

// lose says that content is not here any more, so that nobody counts on it. A file that is found again is adopted.
func (m *Manager) lose(ctx context.Context, id, why string) error {
	m.Log.ErrorContext(ctx, "content of a blob lost", slog.String("blob", id), slog.String("reason", why))
	m.forget(id)
	return m.dropLocation(ctx, id, why)
}

// adopt takes content that lies here although nobody said so: a disk that was away is back. What does not match the
// record is removed, unless it may be all that is left.
func (m *Manager) adopt(ctx context.Context, row view.Row[record]) error {
	path := m.Path(row.ID)
	info, err := os.Lstat(path)
	if err != nil {
		return nil //nolint:nilerr // nothing is here that could be taken
	}
	if misfit(info, row.Value.Size) != "" {
		return m.discard(ctx, path)
	}
	bad, err := m.compare(ctx, row, path, 0)
	if err != nil {
		return err
	}
	if bad != "" && m.Held(row.ID) {
		return m.discard(ctx, path)
	}
	now := time.Now()
	found := location{Since: now, Checked: now}
	if found.Bad = bad; bad != "" {
		found.BadAt = now
	}
	tx := view.Txn{Name: "adopt blob", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	tx.Do(m.locations.Put(row.ID+"/"+m.Node, found),
		m.Events.Op(ctx, about(row.ID), event.Status, "content found again on node "+m.Node, nil))
	return m.commit(ctx, tx)
}
