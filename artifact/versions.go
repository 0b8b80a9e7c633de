package artifact

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// MostVersions is how many versions an artifact can keep at most.
const MostVersions = 100

// content is what becomes a version: a blob that is there, or what was stored and becomes one with it.
type content struct {
	blob   string       // UUID
	stored *blob.Stored // nil if the blob is there
	upload string       // UUID of the upload that it was; "" if none
}

// AddVersion adds to tx that stored content is a blob, and the next version of an artifact; the oldest versions beyond
// its max_versions go. It does so even if the content is that of the newest version: somebody waits for exactly this blob.
// The commit needs this node's fence. It fails with fault.NotFound if there is no such artifact, or it was deleted.
func (m *Manager) AddVersion(ctx context.Context, tx *view.Txn, artifactID string, stored *blob.Stored) (index int, err error) {
	row, err := m.live("artifact.AddVersion", artifactID)
	if err != nil {
		return 0, err
	}
	tx.Check(m.rows.At(row, artifactID))
	return m.addVersion(ctx, tx, artifactID, row.Value, content{blob: stored.ID, stored: stored}, event.Status)
}

// live returns the row of an artifact that is not deleted.
func (m *Manager) live(op, id string) (row, error) {
	r, ok := m.rows.Get(id)
	if !ok {
		return r, errNotFound(op, id)
	}
	if !r.Value.Deleted.IsZero() {
		return r, fault.New(op, fault.NotFound, id, "artifact not found: it was deleted")
	}
	return r, nil
}

// addVersion adds to tx that an artifact, which is or becomes r, has a new version. What its source said of the version
// before does not hold for this one.
func (m *Manager) addVersion(ctx context.Context, tx *view.Txn, id string, r record, c content, t event.Type) (int, error) {
	was, _ := m.statuses.Get(id)
	now := was.Value
	now.Index++
	now.State, now.Error, now.Kind, now.From = Created, "", "", origin{}
	key := versionRow(id, now.Index)
	extra := map[string]any{"version": now.Index, "blob": c.blob}
	if c.stored != nil {
		extra["bytes"], extra["sha512"] = c.stored.Size, c.stored.SHA512
		if err := m.Blobs.Record(ctx, tx, c.stored, m.owner(key)); err != nil {
			return 0, err
		}
	} else if err := m.Blobs.AddRef(tx, c.blob, m.owner(key)); err != nil {
		return 0, err
	}
	tx.Check(m.statuses.At(was, id))
	tx.Do(m.statuses.Put(id, now), m.versions.Put(key, version{Blob: c.blob, Created: time.Now(), Upload: c.upload}))
	m.dropOldest(tx, id, now.Index, r.MaxVersions)
	return now.Index, m.move(ctx, tx, id, stateOf(r, was.Value), Created, t, "version added", extra)
}

// dropOldest adds to tx that the oldest versions go, as many as there are too many with the one that is added. Of versions that
// came since the status was read nothing is known yet: the commit conflicts with them.
func (m *Manager) dropOldest(tx *view.Txn, id string, added, keeps int) {
	old := m.versions.By("artifact", id)
	if len(old) > 0 && indexOf(old[len(old)-1].ID) < added {
		m.drop(tx, old[:max(0, min(len(old)+1-keeps, perAdd))])
	}
}

// perAdd is how many versions go in the commit that adds one. There are more only for a moment, and then the loop drops them.
const perAdd = 10

// SetMaxVersions says how many versions an artifact keeps. The oldest beyond it go at once. It fails with fault.Invalid
// unless n is from 1 to MostVersions, and with fault.NotFound.
func (m *Manager) SetMaxVersions(ctx context.Context, id string, n int) error {
	const op = "artifact.SetMaxVersions"
	if err := validateMaxVersions(n); err != nil {
		return err
	}
	err := m.View.Retry(ctx, func() error {
		row, err := m.live(op, id)
		if err != nil || row.Value.MaxVersions == n {
			return err
		}
		r := row.Value
		r.MaxVersions = n
		tx := view.Txn{Name: "set max versions", Ref: id}
		tx.Check(m.rows.At(row, id))
		tx.Do(m.rows.Put(id, r))
		state := stateOf(r, m.status(id))
		if err := m.move(ctx, &tx, id, state, state, event.Audit, "set max versions", map[string]any{"max_versions": n}); err != nil {
			return err
		}
		was, _ := m.statuses.Get(id)
		if surplus := m.surplus(id, n); len(surplus) > 0 {
			m.dropSome(&tx, was, id, surplus)
		}
		_, err = m.View.Commit(ctx, tx)
		return err
	})
	if err == nil {
		err = m.View.Retry(ctx, func() error { return m.trim(ctx, id) })
	}
	return fault.Wrap(op, id, err)
}

func validateMaxVersions(n int) error {
	if n < 1 || n > MostVersions {
		return fault.New("artifact.validateMaxVersions", fault.Invalid, "", "max_versions is %d; use a number from 1 to %d", n, MostVersions)
	}
	return nil
}

// surplus returns the oldest versions beyond those that an artifact keeps, as many as one commit drops.
func (m *Manager) surplus(id string, keeps int) []view.Row[version] {
	versions := m.versions.By("artifact", id)
	return versions[:max(0, min(len(versions)-keeps, perCommit))]
}

// dropSome adds to tx that some of an artifact's versions go, not all. It checks and writes the status, which was read before
// the versions, so that of two who drop versions at once one sees what the other left. When the newest goes, its source must
// be asked for everything next time: what it said, it said of that one.
func (m *Manager) dropSome(tx *view.Txn, was view.Row[status], id string, versions []view.Row[version]) {
	now := was.Value
	if indexOf(versions[len(versions)-1].ID) == now.Index {
		now.From = origin{}
	}
	tx.Check(m.statuses.At(was, id))
	tx.Do(m.statuses.Put(id, now))
	m.drop(tx, versions)
}

// trim drops what an artifact has beyond the versions that it keeps.
func (m *Manager) trim(ctx context.Context, id string) error {
	for {
		row, ok := m.rows.Get(id)
		if !ok || !row.Value.Deleted.IsZero() {
			return nil
		}
		was, _ := m.statuses.Get(id)
		surplus := m.surplus(id, row.Value.MaxVersions)
		if len(surplus) == 0 {
			return nil
		}
		tx := view.Txn{Name: "drop artifact versions", Ref: id}
		tx.Check(m.rows.At(row, id)) // it may keep more by now
		m.dropSome(&tx, was, id, surplus)
		if _, err := m.View.Commit(ctx, tx); err != nil {
			return err
		}
	}
}

// DeleteVersion ends one version of an artifact and returns the artifact; its last version takes it along. It fails with
// fault.NotFound if there is no such artifact or version.
func (m *Manager) DeleteVersion(ctx context.Context, id string, index int) (Artifact, error) {
	const op = "artifact.DeleteVersion"
	err := m.View.Retry(ctx, func() error {
		row, err := m.live(op, id)
		if err != nil {
			return err
		}
		was, _ := m.statuses.Get(id)
		versions := m.versions.By("artifact", id)
		at, ok := m.versions.Get(versionRow(id, index))
		if !ok || index < 1 {
			return fault.New(op, fault.NotFound, id, "artifact index not found: it has no version %d", index)
		}
		tx := view.Txn{Name: "delete artifact version", Ref: id}
		tx.Check(m.rows.At(row, id))
		m.dropSome(&tx, was, id, []view.Row[version]{at})
		extra := map[string]any{"version": index, "blob": at.Value.Blob}
		if state := stateOf(row.Value, m.status(id)); len(versions) > 1 {
			err = m.move(ctx, &tx, id, state, state, event.Audit, "version deleted", extra)
		} else {
			err = m.unwant(ctx, &tx, id)
		}
		if err == nil {
			_, err = m.View.Commit(ctx, tx)
		}
		return err
	})
	if err != nil {
		return Artifact{}, fault.Wrap(op, id, err)
	}
	return m.Get(ctx, id)
}
