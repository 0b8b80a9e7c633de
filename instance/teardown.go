package instance

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
)

// tearDown ends an instance. Where that does not get on for longer than Patience, it says why and goes on trying.
func (m *Manager) tearDown(ctx context.Context, row row, s status) (time.Duration, error) {
	if !m.seize(row.ID) {
		return 0, nil // the snapshot that has the disks was interrupted, and wakes us when it has let go
	}
	defer m.let(row.ID, &m.taker)
	err := m.dismantle(ctx, row, s)
	if err == nil || ctx.Err() != nil || conflicting(err) {
		return 0, err
	}
	if left := m.patience(row.ID, "delete"); left > 0 {
		return left, err
	}
	return 0, errors.Join(err, m.complain(ctx, row, "deleting does not get on: "+fault.Text(err)))
}

// complain records, once, what a user can't see otherwise.
func (m *Manager) complain(ctx context.Context, row row, text string) error {
	if s, _ := m.statuses.Get(row.ID); s.Value.Error == text {
		return nil
	}
	tx := view.Txn{Name: "complain", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	m.note(ctx, &tx, row.ID, text, func(s *status) { s.Error = text })
	_, err := m.view.Commit(ctx, tx)
	return err
}

// dismantle removes everything of an instance from this node, and then from the store. Each part is safe to repeat.
func (m *Manager) dismantle(ctx context.Context, row row, s status) error {
	// An instance that failed was taken down then. A hypervisor that does not answer must not keep its record: should there
	// be a domain after all, the sweep removes it.
	if err := m.Driver.Remove(ctx, row.ID); err != nil && (s.State != Error || !errors.Is(err, fault.Unavailable)) {
		return err
	}
	if err := m.removeFolder(ctx, row.ID); err != nil {
		return err
	}
	err := m.view.Retry(ctx, func() error {
		tx := view.Txn{Name: "instance deleted", Ref: row.ID}
		tx.Check(m.rows.At(row, row.ID))
		if err := m.move(ctx, &tx, row.ID, Deleted, "deleted", func(s *status) { s.Power, s.Error, s.Freed = "", "", true }); err != nil {
			return err
		}
		if !s.Freed {
			m.giveBack(ctx, &tx, row)
		}
		m.Namespaces.Disown(&tx, row.Value.Spec.Namespace, "instance", row.ID)
		_, err := m.view.Commit(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	delete(m.observed, row.ID)
	delete(m.failing, row.ID)
	m.mu.Unlock()
	return nil
}

// giveBack adds to tx that an instance holds nothing any more: capacity, addresses, images.
func (m *Manager) giveBack(_ context.Context, tx *view.Txn, row row) {
	m.free(tx, &row.Value)
	m.Networks.Detach(tx, row.ID)
	m.unrefer(tx, row)
}

func (m *Manager) removeFolder(ctx context.Context, id string) error {
	dir := m.dir(id)
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	err := step.Do(ctx, "remove instance folder", id, func() error { return os.RemoveAll(dir) })
	return diskFault("remove instance folder", dir, err)
}

// diskFault gives a file system's error a kind, and says what to do. Of nil it is nil.
func diskFault(what, path string, err error) error {
	const op = "instance.files"
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Because(op, fault.Exhausted, "", err, "%s: the disk that holds %s is full; free space there", what, path)
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.Because(op, fault.Internal, "", err, "%s: %s cannot be written; check its permissions and mount", what, path)
	}
	return fault.Wrap(op+": "+what, path, err)
}

// sweep removes from this node what no instance wants, and looks at every domain.
func (m *Manager) sweep(ctx context.Context) error {
	there, err := m.look(ctx)
	if err != nil {
		return err
	}
	folders, err := os.ReadDir(m.dir(""))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return diskFault("read instances folder", m.dir(""), err)
	}
	unwanted := func(d hypervisor.Status) bool { return !m.wanted(d.ID, false) }
	stray := func(f os.DirEntry) bool { // what has no UUID for its name is not ours
		return uuid.Validate(f.Name()) == nil && !m.wanted(f.Name(), true)
	}
	if slices.ContainsFunc(there, unwanted) || slices.ContainsFunc(folders, stray) {
		// What was begun after the host was looked at is not in what was seen, so it can't be removed by mistake; what was
		// begun before is in the view from here on.
		if err := m.view.Fresh(ctx); err != nil {
			return err
		}
	}
	var failed error // one thing that stays is no reason to keep the others
	for _, d := range there {
		if !unwanted(d) {
			continue
		}
		m.Log.InfoContext(ctx, "removing a domain that nobody wants", slog.String("instance", d.ID))
		failed = errors.Join(failed, m.Driver.Remove(ctx, d.ID))
	}
	for _, f := range folders {
		if !stray(f) {
			continue
		}
		m.Log.InfoContext(ctx, "removing a folder that nobody wants", slog.String("instance", f.Name()))
		failed = errors.Join(failed, m.removeFolder(ctx, f.Name()))
	}
	return errors.Join(failed, m.forget(ctx), m.forgetNodes(ctx))
}

// wanted reports whether an instance has something here. One that failed keeps its folder, with the console's log.
func (m *Manager) wanted(id string, folder bool) bool {
	r, ok := m.rows.Get(id)
	if !ok && m.rows.Unreadable(id) {
		return true // by this program; a newer one wrote it
	}
	s, _ := m.statuses.Get(id)
	if !ok || r.Value.Node != m.Nodes.Name() || s.Value.State == Deleted {
		return false
	}
	return folder || s.Value.State != Error
}

// forget drops records that were deleted longer ago than Linger.
func (m *Manager) forget(ctx context.Context) error {
	for _, s := range m.statuses.By("state", string(Deleted)) {
		if time.Since(s.Value.Since) < m.Linger {
			continue
		}
		tx := view.Txn{Name: "forget instance", Ref: s.ID}
		tx.Check(m.statuses.At(s, s.ID))
		tx.Do(m.rows.Delete(s.ID), m.statuses.Delete(s.ID))
		tx.Do(m.events.Forget(about(s.ID))...)
		m.Metadata.Forget(&tx, "instance", s.ID)
		if _, err := m.view.Commit(ctx, tx); err != nil && !errors.Is(err, fault.Conflict) {
			return err
		}
	}
	return nil
}
