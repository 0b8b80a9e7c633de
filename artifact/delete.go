package artifact

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// perCommit is how many versions one commit drops: each takes two ops.
const perCommit = 40

// Delete ends an artifact and returns it. It is deleted at once for everybody; a download for it stops, its versions go
// soon, and the content of each when nothing else refers to it. Deleting twice is success. It fails with fault.NotFound.
func (m *Manager) Delete(ctx context.Context, id string) (Artifact, error) {
	const op = "artifact.Delete"
	err := m.View.Batch(ctx, "delete artifact", []string{id}, func(tx *view.Txn, id string) error {
		if _, ok := m.rows.Get(id); !ok {
			return errNotFound(op, id)
		}
		return m.unwant(ctx, tx, id)
	})
	if err != nil {
		return Artifact{}, fault.Wrap(op, id, err)
	}
	return m.Get(ctx, id) // the change itself interrupted the loop
}

// DeleteAll ends every artifact of a namespace and returns the UUIDs of those that were not deleted before, ascending. If it
// fails, some are deleted all the same.
func (m *Manager) DeleteAll(ctx context.Context, namespace string) (ids []string, err error) {
	ids = []string{}
	for _, row := range m.rows.All() {
		if row.Value.Namespace == namespace && row.Value.Deleted.IsZero() {
			ids = append(ids, row.ID)
		}
	}
	err = m.View.Batch(ctx, "delete artifacts", ids, func(tx *view.Txn, id string) error { return m.unwant(ctx, tx, id) })
	return ids, fault.Wrap("artifact.DeleteAll", "", err)
}

// unwant adds to tx that an artifact is deleted. It adds nothing for one that is, or that is gone.
func (m *Manager) unwant(ctx context.Context, tx *view.Txn, id string) error {
	row, ok := m.rows.Get(id)
	if !ok || !row.Value.Deleted.IsZero() {
		return nil
	}
	r := row.Value
	from := stateOf(r, m.status(id))
	r.Deleted = time.Now()
	if err := m.move(ctx, tx, id, from, Deleted, event.Audit, "delete request", nil); err != nil {
		return err
	}
	tx.Check(m.rows.At(row, id))
	tx.Do(m.rows.Put(id, r), m.claims.Delete(claimRow(r)))
	m.Namespaces.Disown(tx, r.Namespace, "artifact", id)
	return nil
}

// dismantle drops the versions of a deleted artifact.
func (m *Manager) dismantle(ctx context.Context, row row) error {
	for {
		versions := m.versions.By("artifact", row.ID)
		if len(versions) == 0 {
			return nil
		}
		tx := view.Txn{Name: "drop artifact versions", Ref: row.ID}
		m.drop(&tx, versions[:min(len(versions), perCommit)])
		if err := m.commit(ctx, tx); err != nil {
			return err
		}
	}
}

// drop adds to tx that versions go, and with them their references.
func (m *Manager) drop(tx *view.Txn, versions []view.Row[version]) {
	for _, v := range versions {
		tx.Do(m.versions.Delete(v.ID))
		m.Blobs.DropRef(tx, v.Value.Blob, m.owner(v.ID))
	}
}

// sweep removes what is left in the store of artifacts that were deleted long enough ago.
func (m *Manager) sweep(ctx context.Context) error {
	for _, row := range m.rows.By("deleted", m.Node) {
		if time.Since(row.Value.Deleted) < m.Linger || m.versions.Count("artifact", row.ID) > 0 {
			continue
		}
		tx := view.Txn{Name: "forget artifact", Ref: row.ID}
		tx.Check(m.rows.At(row, row.ID))
		tx.Do(m.rows.Delete(row.ID), m.statuses.Delete(row.ID))
		tx.Do(m.Events.Forget(about(row.ID))...)
		m.Metadata.Forget(&tx, "artifact", row.ID)
		if err := m.commit(ctx, tx); err != nil && store.FailedChecks(err) == nil {
			return err
		}
	}
	return nil
}
