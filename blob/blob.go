// Package blob keeps content by UUID: the bytes of images, on the disks of nodes, counted by who refers to them.
//
// A blob comes into being whole: Ingest writes and checks the file, Record makes it known in the same commit as its first
// reference. It ends when the last reference is gone, never before, and then its files go. A loop makes this node's files
// match the store: it makes the image that guests boot from out of each blob that is here, and removes every file that
// no blob wants.
package blob

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// Blob is content as the cloud knows it.
type Blob struct {
	ID        string // UUID, lower case
	State     State
	Kind      Kind
	Size      int64     // bytes
	Modified  time.Time // when its source says it was changed; FetchedAt if the source doesn't say
	FetchedAt time.Time
	LastUsed  time.Time // when an instance began or ceased to use it; zero if none ever did
	Checksums
	Facts      Facts             // what its header says
	DependsOn  string            // the blob beneath it; "" if it is whole by itself
	Transcodes map[string]string // blobs with the same disk in a form that guests boot from, by what form that is; never nil
	Locations  []string          // nodes that have a good copy, ascending
	Damaged    []string          // nodes whose copy is bad, ascending
	References int
	Owners     []Owner   // who refers to it
	Deleted    time.Time // zero while State is Created
	instances  []string
}

// Instances returns the IDs, ascending, of the instances that use the blob or one that lies on top of it.
func (b Blob) Instances() []string { return b.instances }

// Get returns a blob in whatever state. It fails with fault.NotFound.
func (m *Manager) Get(_ context.Context, id string) (Blob, error) {
	row, ok := m.rows.Get(id)
	if !ok {
		return Blob{}, errNotFound("blob.Get", id)
	}
	return m.toBlob(row), nil
}

// Guard is the metadata.Guard of blobs.
func (m *Manager) Guard(tx *view.Txn, id string) error {
	row, ok := m.rows.Get(id)
	if !ok {
		return errNotFound("blob.Guard", id)
	}
	tx.Check(m.rows.At(row, id))
	return nil
}

// List returns the blobs that are not deleted, ascending by ID.
func (m *Manager) List(_ context.Context) []Blob {
	blobs := []Blob{}
	for _, row := range m.rows.All() {
		if row.Value.state() != Deleted {
			blobs = append(blobs, m.toBlob(row))
		}
	}
	return blobs
}

// Held reports whether a blob is live and at least one node has its content, undamaged.
func (m *Manager) Held(id string) bool {
	row, ok := m.rows.Get(id)
	return ok && row.Value.state() != Deleted && m.locations.Count("good", id) > 0
}

// Path returns where the blob's content lies on a node that holds it.
func (m *Manager) Path(id string) string {
	return filepath.Join(m.Dir, contentDir, id[:2], id)
}

func (m *Manager) toBlob(row view.Row[record]) Blob {
	r := row.Value
	b := Blob{
		ID: row.ID, State: r.state(), Kind: r.Kind, Size: r.Size, Modified: r.Modified, FetchedAt: r.FetchedAt,
		Checksums: r.checksums(), Facts: r.Facts, DependsOn: r.DependsOn, Transcodes: m.transcodes(row.ID), Deleted: r.Deleted,
	}
	b.Locations, b.Damaged = m.holders(row.ID)
	refs := m.refs.By("blob", row.ID)
	for _, ref := range refs {
		b.Owners = append(b.Owners, ownerOf(ref))
	}
	b.References = len(b.Owners)
	b.LastUsed = m.lastUsed(row.ID, refs)
	b.instances = m.users(refs)
	slices.Sort(b.instances)
	b.instances = slices.Compact(b.instances)
	return b
}

func errNotFound(op, id string) error { return fault.New(op, fault.NotFound, id, "blob not found") }

func about(id string) event.Object { return event.Object{Kind: "blob", ID: id} }
