package blob

import (
	"context"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// record is a blob in the store, at "blob/<uuid>". It has no hot fields: where a blob is and who refers to it are keys of
// their own.
type record struct {
	Size      int64     `json:"size"`
	Modified  time.Time `json:"modified"`
	FetchedAt time.Time `json:"fetched_at"`
	SHA512    string    `json:"sha512"`
	Facts     Facts     `json:"facts"`
	DependsOn string    `json:"depends_on,omitempty"`
	Deleted   time.Time `json:"deleted,omitzero"` // zero while it is live
}

func (r record) state() State {
	if r.Deleted.IsZero() {
		return Created
	}
	return Deleted
}

// location says, at "location/<blob>/<node>", that a node holds a blob.
type location struct {
	Since time.Time `json:"since"`
}

// reference says, at "ref/<blob>/<owner kind>/<owner id>", that something needs a blob.
type reference struct {
	Node string `json:"node,omitempty"`
}

// Kinds of owner.
const (
	Instance = "instance" // a disk of an instance; Owner.ID is the instance's UUID
	Version  = "version"  // a version of an artifact; Owner.ID is "<artifact>/<index>"
)

// Owner is what refers to a blob.
type Owner struct {
	Kind string // Instance, Version; without a slash
	ID   string
	Node string // where the owner uses the content; "" if it doesn't matter
}

func refPrefix(blob string) string { return blob + "/" }

func (o Owner) row(blob string) string { return refPrefix(blob) + o.Kind + "/" + o.ID }

func ownerOf(row view.Row[reference]) Owner {
	parts := strings.SplitN(row.ID, "/", 3)
	return Owner{Kind: parts[1], ID: parts[2], Node: row.Value.Node}
}

func blobOf(row string) string {
	blob, _, _ := strings.Cut(row, "/")
	return blob
}

// Record adds to tx that the stored content is a blob of this node, needed by owner.
func (m *Manager) Record(ctx context.Context, tx *view.Txn, s *Stored, owner Owner) {
	tx.Check(store.Absent(m.rows.Key(s.ID)))
	tx.Do(
		m.rows.Put(s.ID, record{Size: s.Size, Modified: s.Modified, FetchedAt: s.FetchedAt, SHA512: s.SHA512, Facts: s.Facts}),
		m.locations.Put(s.ID+"/"+m.Node, location{Since: s.FetchedAt}),
		m.refs.Put(owner.row(s.ID), reference{Node: owner.Node}),
		m.Events.Op(ctx, about(s.ID), event.Status, "created", map[string]any{"size": s.Size, "sha512": s.SHA512, "node": m.Node}),
	)
}

// AddRef adds to tx that owner needs a blob. It fails with fault.NotFound if there is no such live blob; the commit
// conflicts if the blob ends meanwhile. Adding a reference twice, in one transaction or several, is success.
func (m *Manager) AddRef(tx *view.Txn, blobID string, owner Owner) error {
	row, ok := m.rows.Get(blobID)
	if !ok || row.Value.state() == Deleted {
		return errNotFound("blob.AddRef", blobID)
	}
	key := m.refs.Key(owner.row(blobID))
	for _, o := range tx.Ops {
		if o.Key == key {
			return nil
		}
	}
	tx.Check(m.rows.At(row, blobID))
	tx.Do(m.refs.Put(owner.row(blobID), reference{Node: owner.Node}))
	return nil
}

// DropRef adds to tx that owner does not need a blob any more. Dropping what is not there is success.
func (m *Manager) DropRef(tx *view.Txn, blobID string, owner Owner) {
	tx.Do(m.refs.Delete(owner.row(blobID)))
}

// isHere reports whether this node is said to hold a blob.
func (m *Manager) isHere(id string) bool {
	_, ok := m.locations.Get(id + "/" + m.Node)
	return ok
}

// holders returns the nodes that are said to hold a blob, ascending.
func (m *Manager) holders(id string) []string {
	nodes := []string{}
	for _, l := range m.locations.By("blob", id) {
		nodes = append(nodes, strings.TrimPrefix(l.ID, id+"/"))
	}
	return nodes
}
