package artifact

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// Snapshots returns the artifacts that hold copies of an instance's disks and are not deleted, ascending by source.
func (m *Manager) Snapshots(instance string) []Artifact {
	var artifacts []Artifact
	for _, row := range m.rows.By("of", instance) {
		if a, ok := m.get(row.ID); ok {
			artifacts = append(artifacts, a)
		}
	}
	slices.SortFunc(artifacts, func(a, b Artifact) int { return cmp.Compare(a.SourceURL, b.SourceURL) })
	return artifacts
}

// instancesOf returns the instance of which a snapshot's artifact is, as its index wants it.
func instancesOf(r row) []string {
	rest, ok := strings.CutPrefix(r.Value.SourceURL, instanceScheme)
	if r.Value.Type != Snapshot || !ok {
		return nil
	}
	instance, _, _ := strings.Cut(rest, "/")
	return active(r, instance)
}

// SnapshotFailed adds to tx that there will be no copy that WantSnapshot announced. An artifact without any version gets
// state Error, which says why. It adds nothing for one that is gone.
func (m *Manager) SnapshotFailed(ctx context.Context, tx *view.Txn, artifactID, why string) error {
	row, ok := m.rows.Get(artifactID)
	if !ok || !row.Value.Deleted.IsZero() {
		return nil
	}
	was, _ := m.statuses.Get(artifactID)
	from, to := stateOf(row.Value, was.Value), stateOf(row.Value, was.Value)
	tx.Check(m.rows.At(row, artifactID), m.statuses.At(was, artifactID))
	if m.versions.Count("artifact", artifactID) == 0 {
		now := was.Value
		to, now.State, now.Error, now.Kind = Error, Error, why, fault.Internal
		tx.Do(m.statuses.Put(artifactID, now))
	}
	return m.move(ctx, tx, artifactID, from, to, event.Status, "snapshot failed", map[string]any{"error": why})
}
