package blob

import (
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/internal/view"
)

// reference says, at "ref/<blob>/<owner kind>/<owner id>", that something needs a blob.
type reference struct {
	Node  string    `json:"node,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Ahead bool      `json:"ahead,omitempty"`
	Style string    `json:"style,omitempty"` // of a Transcode: what it is, in words of the API
}

// Kinds of owner.
const (
	Instance  = "instance"  // a disk of an instance; Owner.ID is the instance's UUID
	Version   = "version"   // a version of an artifact; Owner.ID is "<artifact>/<index>"
	NVRAM     = "nvram"     // the template of an instance's UEFI variables; Owner.ID is the instance's UUID
	Child     = "child"     // a blob that lies on top of this one; Owner.ID is that blob's UUID
	Transcode = "transcode" // a blob whose bootable image this one is; Owner.ID is that blob's UUID
)

// Owner is what refers to a blob.
type Owner struct {
	Kind  string // one of those above
	ID    string
	Node  string // where the owner uses the content; "" if it doesn't matter
	Ahead bool   // the bootable image shall be made now, before an instance asks for it
}

func refPrefix(blob string) string { return blob + "/" }

func (o Owner) row(blob string) string { return refPrefix(blob) + o.Kind + "/" + o.ID }

func (o Owner) reference() reference {
	return reference{Node: o.Node, Since: time.Now(), Ahead: o.Ahead}
}

func ownerOf(row view.Row[reference]) Owner {
	parts := strings.SplitN(row.ID, "/", 3)
	return Owner{Kind: parts[1], ID: parts[2], Node: row.Value.Node, Ahead: row.Value.Ahead}
}

func blobOf(row string) string {
	blob, _, _ := strings.Cut(row, "/")
	return blob
}

// AddRef adds to tx that owner needs a blob. It fails with fault.NotFound if there is no such live blob; the commit
// conflicts if the blob ends meanwhile. Adding a reference twice, in one transaction or several, is success.
func (m *Manager) AddRef(tx *view.Txn, blobID string, owner Owner) error {
	return m.addRef(tx, blobID, owner, owner.reference())
}

func (m *Manager) addRef(tx *view.Txn, blobID string, owner Owner, ref reference) error {
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
	tx.Do(m.refs.Put(owner.row(blobID), ref))
	return nil
}

// usedRoom is up to how many ops a commit notes when a blob was used: what an instance gives back comes first.
const usedRoom = 80

// DropRef adds to tx that owner does not need a blob any more. Dropping what is not there is success.
func (m *Manager) DropRef(tx *view.Txn, blobID string, owner Owner) {
	tx.Do(m.refs.Delete(owner.row(blobID)))
	if owner.Kind != Instance || len(tx.Ops) >= usedRoom {
		return
	}
	if row, ok := m.rows.Get(blobID); !ok || row.Value.state() == Deleted {
		return
	}
	if _, ok := m.refs.Get(owner.row(blobID)); ok {
		tx.Replace(m.used.Put(blobID, used{At: time.Now()}))
	}
}

// lastUsed returns when an instance began or ceased to use a blob, whichever was last; zero if none ever did.
func (m *Manager) lastUsed(id string, refs []view.Row[reference]) time.Time {
	row, _ := m.used.Get(id)
	last := row.Value.At
	for _, r := range refs {
		if ownerOf(r).Kind == Instance && r.Value.Since.After(last) {
			last = r.Value.Since
		}
	}
	return last
}

// users returns the instances that use a blob of these references, itself or what lies on top of it.
func (m *Manager) users(refs []view.Row[reference]) []string {
	ids := []string{}
	for _, r := range refs {
		switch o := ownerOf(r); o.Kind {
		case Instance:
			ids = append(ids, o.ID)
		case Child:
			ids = append(ids, m.users(m.refs.By("blob", o.ID))...)
		}
	}
	return ids
}
