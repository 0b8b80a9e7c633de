package instance

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/artifact"
)

// Snapshot is a copy of one device of an instance, or one that will be or could not be made.
type Snapshot struct {
	Device   string
	Artifact artifact.Artifact
	Index    int           // of the version; 0 if there is none
	Blob     string        // UUID
	State    SnapshotState // whether the blob is there
	Error    string        // why there is no copy, if State is SnapshotFailed
	Created  time.Time     // of the version; of the wish if there is none
}

// SnapshotState is what became of a copy.
type SnapshotState string

// The states of a copy. One that failed is forgotten as soon as a deleted instance.
const (
	SnapshotWanted SnapshotState = "initial"
	SnapshotTaken  SnapshotState = "created"
	SnapshotFailed SnapshotState = "error"
)

// Snapshots returns the copies that there are of an instance's disks, oldest first, and then those that are being made or
// failed. It fails with fault.NotFound.
func (m *Manager) Snapshots(ctx context.Context, id string) ([]Snapshot, error) {
	if _, ok := m.rows.Get(id); !ok {
		return nil, errNotFound("instance.Snapshots", id)
	}
	// Wishes come first: of a copy that is recorded meanwhile there is a version then, so that none is missed.
	wishes := m.takings.By("instance", id)
	all := []Snapshot{}
	artifacts, taken := map[string]artifact.Artifact{}, map[string]bool{}
	for _, a := range m.Artifacts.Snapshots(id) {
		artifacts[a.ID] = a
		for _, v := range a.Versions {
			taken[v.Blob] = true
			all = append(all, Snapshot{
				Device: deviceOf(a), Artifact: a, Index: v.Index, Blob: v.Blob, State: SnapshotTaken, Created: v.Created,
			})
		}
	}
	slices.SortStableFunc(all, func(a, b Snapshot) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Index, b.Index)) })
	unfinished := slices.DeleteFunc(m.unfinished(ctx, wishes, artifacts), func(s Snapshot) bool { return taken[s.Blob] })
	return append(all, unfinished...), nil
}

// unfinished returns the copies that are wanted or failed, oldest first.
func (m *Manager) unfinished(ctx context.Context, rows []takingRow, artifacts map[string]artifact.Artifact) []Snapshot {
	slices.SortStableFunc(rows, func(a, b takingRow) int { return a.Value.Created.Compare(b.Value.Created) })
	var all []Snapshot
	for _, row := range rows {
		for _, p := range row.Value.Pieces {
			if p.Done {
				continue
			}
			a, ok := artifacts[p.Artifact]
			if !ok { // deleted meanwhile; somebody may wait for the copy all the same
				var err error
				if a, err = m.Artifacts.Get(ctx, p.Artifact); err != nil {
					continue
				}
			}
			s := Snapshot{Device: p.Device, Artifact: a, Blob: p.Blob, State: SnapshotWanted, Created: row.Value.Created}
			if p.Error != "" {
				s.State, s.Error = SnapshotFailed, p.Error
			}
			all = append(all, s)
		}
	}
	return all
}

// deviceOf is what a snapshot's artifact is of: the end of its source.
func deviceOf(a artifact.Artifact) string { return a.SourceURL[strings.LastIndex(a.SourceURL, "/")+1:] }
