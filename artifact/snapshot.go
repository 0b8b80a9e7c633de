package artifact

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/view"
)

// SnapshotOf says what is copied.
type SnapshotOf struct {
	Instance    string // UUID
	Device      string // such as vda
	Namespace   string // the instance's
	MaxVersions int    // how many copies are kept; 0 means as it is, and for the first one as many as of any artifact
}

// WantSnapshot adds to tx that there is an artifact for the copies of a disk, and returns its UUID. It is in state Initial
// until AddVersion adds its first version. It fails with fault.Invalid naming the field that is wrong, and with
// fault.NotFound if there is no such namespace.
func (m *Manager) WantSnapshot(ctx context.Context, tx *view.Txn, s SnapshotOf) (artifactID string, err error) {
	if s.MaxVersions != 0 {
		if err := validateMaxVersions(s.MaxVersions); err != nil {
			return "", err
		}
	}
	name := s.Instance + "/" + s.Device
	rec := record{
		Type: Snapshot, SourceURL: instanceScheme + name, Name: name, Namespace: s.Namespace,
		MaxVersions: m.keeps(s.MaxVersions), Created: time.Now(), Fetch: fetch{Node: m.Node},
	}
	if c, ok := m.claims.Pending(tx, claimRow(rec)); ok {
		return c.Artifact, nil
	}
	row, ok := m.own(rec.Type, rec.SourceURL, rec.Namespace)
	if !ok {
		return m.add(ctx, tx, rec)
	}
	if _, twice := m.rows.Pending(tx, row.ID); twice {
		return row.ID, nil
	}
	tx.Check(m.rows.At(row, row.ID))
	if s.MaxVersions == 0 || s.MaxVersions == row.Value.MaxVersions {
		return row.ID, nil
	}
	r := row.Value
	r.MaxVersions = s.MaxVersions
	tx.Do(m.rows.Put(row.ID, r), m.Events.Op(ctx, about(row.ID), event.Audit, "set max versions", map[string]any{"max_versions": s.MaxVersions}))
	return row.ID, nil
}

// keeps is how many versions a new artifact keeps if n were asked for, 0 for nothing asked.
func (m *Manager) keeps(n int) int {
	if n == 0 {
		return m.MaxVersions
	}
	return n
}

// own returns the artifact of a type and source that a namespace has.
func (m *Manager) own(t Type, url, namespace string) (row, bool) {
	for _, row := range m.rows.By("url", urlKey(t, url)) {
		if row.Value.Namespace == namespace {
			return row, true
		}
	}
	return row{}, false
}
