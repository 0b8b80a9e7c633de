package blob

import (
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/view"
)

// MaxChain is how many blobs may lie on top of each other. Each of them costs a guest time, and memory for its tables.
const MaxChain = 32

// CheckBase reports whether another blob may lie on top of this one. It fails with fault.NotFound if there is no such live
// blob, and with fault.Invalid, saying what to do, if the chain is as long as it may be.
func (m *Manager) CheckBase(id string) error {
	const op = "blob.CheckBase"
	row, ok := m.rows.Get(id)
	if !ok || row.Value.state() == Deleted {
		return errNotFound(op, id)
	}
	if n := 1 + len(m.beneath(row)); n >= MaxChain {
		return fault.New(op, fault.Invalid, id,
			"blob %s lies on %d others already, and %d in all are the most: take a flattened snapshot instead of a thin one", id, n-1, MaxChain)
	}
	return nil
}

// Backing returns the bootable images beneath that of a blob, nearest first; none if it is whole by itself.
func (m *Manager) Backing(id string) []hypervisor.Image {
	images := []hypervisor.Image{}
	if row, ok := m.rows.Get(id); ok {
		for _, r := range m.beneath(row) {
			images = append(images, m.cacheImage(r))
		}
	}
	return images
}

// Image returns where the bootable image of a blob is, or will be, on this node: what disks that were made already lie on.
// It is not ok if there is no such live blob.
func (m *Manager) Image(id string) (img hypervisor.Image, ok bool) {
	row, ok := m.rows.Get(id)
	if !ok || row.Value.state() == Deleted {
		return img, false
	}
	return m.cacheImage(row), true
}

// beneath returns the blobs beneath one, nearest first.
func (m *Manager) beneath(row view.Row[record]) []view.Row[record] {
	var all []view.Row[record]
	for row.Value.DependsOn != "" && len(all) < MaxChain {
		next, ok := m.rows.Get(row.Value.DependsOn)
		if !ok {
			break
		}
		all = append(all, next)
		row = next
	}
	return all
}

// children returns the blobs that lie directly on top of one.
func (m *Manager) children(id string) []string {
	var ids []string
	for _, r := range m.refs.By("blob", id) {
		if o := ownerOf(r); o.Kind == Child {
			ids = append(ids, o.ID)
		}
	}
	return ids
}
