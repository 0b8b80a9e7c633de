package instance

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/reconcile"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

const (
	maxCopies = 4    // snapshots that a node copies at once: they share its disk
	takers    = 1024 // a pass costs nothing while it waits for its turn to copy, and deletes must not wait with it
)

// prepareTaker sets up the loop that takes snapshots.
func (m *Manager) prepareTaker() {
	m.takings.Index("instance", func(r takingRow) []string { return []string{instanceOf(r.ID)} })
	m.takings.Index("node", func(r takingRow) []string {
		if r.Value.Ended.IsZero() {
			return []string{r.Value.Node}
		}
		return nil
	})
	m.taker = reconcile.Loop{
		Name: "snapshots", Reconcile: m.take, All: m.untaken, Sweep: m.forgetTakings,
		Resync: m.Resync, Workers: takers, Log: m.Log,
	}
	m.takings.OnChange(func(id string) { m.taker.Wake(instanceOf(id)) })
}

// untaken lists the instances of this node of which a snapshot is wanted, or has left disks that stand still.
func (m *Manager) untaken() []string {
	var ids []string
	for _, t := range m.takings.By("node", m.Nodes.Name()) {
		ids = append(ids, instanceOf(t.ID))
	}
	for _, r := range m.rows.By("node", m.Nodes.Name()) {
		if s, _ := m.statuses.Get(r.ID); s.Value.State == Created && m.hasHeld(r.ID) {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// isHeld reports whether what the guest writes to a disk goes elsewhere.
func isHeld(d diskStatus) bool {
	_, err := os.Lstat(d.Path + hypervisor.HeldSuffix)
	return err == nil
}

// take takes the next snapshot of an instance.
func (m *Manager) take(ctx context.Context, id string) (time.Duration, error) {
	waiting := m.waiting(id)
	if len(waiting) > 0 && waiting[0].Value.Node != m.Nodes.Name() {
		return 0, nil
	}
	row, ok := m.rows.Get(id)
	s, _ := m.statuses.Get(id)
	switch {
	case !ok || !row.Value.Deleted.IsZero():
		return 0, m.dropTakings(ctx, waiting, "the instance was deleted before its disk was copied")
	case s.Value.State != Created:
		return 0, m.dropTakings(ctx, waiting, "the instance failed before its disk was copied")
	case row.Value.Node != m.Nodes.Name(), len(waiting) == 0 && !m.hasHeld(id):
		return 0, nil
	}
	if len(waiting) > 0 {
		select {
		case m.copies <- struct{}{}:
			defer func() { <-m.copies }()
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	if !m.seize(id) {
		return 0, nil // whoever has the disks wakes us
	}
	defer m.let(id, &m.loop)
	if len(waiting) > 0 {
		if err := m.copyAll(ctx, row, waiting[0].ID); err != nil {
			return 0, err
		}
	}
	if err := m.release(ctx, id); err != nil || len(waiting) == 0 {
		return 0, err
	}
	return 0, m.endTaking(ctx, waiting[0].ID)
}

// release has an instance's disks be as they were before a snapshot.
func (m *Manager) release(ctx context.Context, id string) error {
	s, _ := m.statuses.Get(id)
	disks, err := m.copyableDisks(s.Value, func(string) bool { return true })
	if err != nil || len(disks) == 0 {
		return err
	}
	if err := m.Driver.Release(ctx, id, disks); err != nil {
		return fault.Wrap("instance: release disks after snapshot", id, err)
	}
	return nil
}

// endTaking records that a snapshot needs nothing more. Versions tell of what was copied, so only failures are kept.
func (m *Manager) endTaking(ctx context.Context, takingID string) error {
	return m.view.Retry(ctx, func() error {
		row, ok := m.takings.Get(takingID)
		if !ok || !row.Value.Ended.IsZero() {
			return nil
		}
		tx := view.Txn{Name: "end snapshot", Ref: instanceOf(takingID)}
		tx.Check(m.takings.At(row, takingID), m.Nodes.Fence())
		m.end(&tx, row)
		_, err := m.view.Commit(ctx, tx)
		return err
	})
}

func (m *Manager) end(tx *view.Txn, row takingRow) {
	t := row.Value
	if !slices.ContainsFunc(t.Pieces, func(p piece) bool { return p.Error != "" }) {
		tx.Do(m.takings.Delete(row.ID))
		return
	}
	t.Ended = time.Now()
	tx.Do(m.takings.Put(row.ID, t))
}

// dropTakings ends snapshots that can't be taken any more.
func (m *Manager) dropTakings(ctx context.Context, rows []takingRow, why string) error {
	for _, row := range rows {
		if err := m.dropTaking(ctx, row, why, m.Nodes.Fence()); err != nil {
			return err
		}
	}
	return nil
}

// dropTaking ends a snapshot that can't be taken any more, as far as it was not.
func (m *Manager) dropTaking(ctx context.Context, row takingRow, why string, holds store.Check) error {
	for n := range row.Value.Pieces {
		if err := m.failPiece(ctx, row.ID, n, why, holds); err != nil {
			return err
		}
	}
	return m.view.Retry(ctx, func() error {
		row, ok := m.takings.Get(row.ID)
		if !ok || !row.Value.Ended.IsZero() {
			return nil
		}
		tx := view.Txn{Name: "drop snapshot", Ref: instanceOf(row.ID)}
		tx.Check(m.takings.At(row, row.ID), holds)
		m.end(&tx, row)
		_, err := m.view.Commit(ctx, tx)
		return err
	})
}

// failPiece records why a device is not copied.
func (m *Manager) failPiece(ctx context.Context, takingID string, n int, why string, holds store.Check) error {
	return m.settle(ctx, takingID, n, holds, func(tx *view.Txn, p *piece) error {
		p.Error = why
		tx.Name = "snapshot failed"
		tx.Do(m.events.Op(ctx, about(instanceOf(takingID)), event.Status, "snapshot of "+p.Device+" failed",
			map[string]any{"error": why, "blob": p.Blob, "artifact": p.Artifact}))
		return m.Artifacts.SnapshotFailed(ctx, tx, p.Artifact, why)
	})
}

// settle commits what became of the nth device of a snapshot, unless that is known.
func (m *Manager) settle(ctx context.Context, takingID string, n int, holds store.Check, add func(*view.Txn, *piece) error) error {
	return m.view.Retry(ctx, func() error {
		row, ok := m.takings.Get(takingID)
		if !ok || row.Value.Pieces[n].settled() {
			return nil
		}
		t := row.Value
		t.Pieces = slices.Clone(t.Pieces)
		tx := view.Txn{Ref: instanceOf(takingID)}
		tx.Check(m.takings.At(row, takingID), holds)
		if err := add(&tx, &t.Pieces[n]); err != nil {
			return err
		}
		tx.Do(m.takings.Put(takingID, t))
		_, err := m.view.Commit(ctx, tx)
		return err
	})
}

// forgetTakings drops the records of snapshots that failed longer ago than Linger.
func (m *Manager) forgetTakings(ctx context.Context) error {
	for _, row := range m.takings.All() {
		if t := row.Value; t.Ended.IsZero() || time.Since(t.Ended) < m.Linger {
			continue
		}
		tx := view.Txn{Name: "forget snapshot", Ref: instanceOf(row.ID)}
		tx.Check(m.takings.At(row, row.ID))
		tx.Do(m.takings.Delete(row.ID))
		// Another node may be quicker.
		if _, err := m.view.Commit(ctx, tx); err != nil && !errors.Is(err, fault.Conflict) {
			return err
		}
	}
	return nil
}

// isTaking reports whether a snapshot of the instance is wanted or being taken.
func (m *Manager) isTaking(id string) bool { return len(m.waiting(id)) > 0 }

// isCopying reports whether a snapshot has begun with an instance's disks and must find them as they were then.
func (m *Manager) isCopying(id string) bool {
	waiting := m.waiting(id)
	began := func(t takingRow) bool { return !t.Value.Hold.Since.IsZero() }
	return slices.ContainsFunc(waiting, began) || len(waiting) > 0 && m.hasHeld(id)
}

// hasHeld reports whether an instance has disks that stand still.
func (m *Manager) hasHeld(id string) bool {
	s, _ := m.statuses.Get(id)
	return slices.ContainsFunc(copyable(s.Value), isHeld)
}

// seize keeps others of this process from an instance's disks: a snapshot that copies them, a start, a delete. It fails if
// somebody has them. What the guest itself does, and that it is stopped, concerns nobody.
func (m *Manager) seize(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seized[id] {
		return false
	}
	m.seized[id] = true
	return true
}

// let gives seized disks back, and wakes the loop that may wait for them.
func (m *Manager) let(id string, next *reconcile.Loop) {
	m.mu.Lock()
	delete(m.seized, id)
	m.mu.Unlock()
	next.Wake(id)
}

// warn tells operators of a snapshot that failed.
func (m *Manager) warn(ctx context.Context, id, device string, err error) {
	m.Log.WarnContext(ctx, "snapshot failed", slog.String("instance", id), slog.String("device", device), slog.Any("error", err))
}
