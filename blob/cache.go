package blob

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
)

// trial is a failed attempt at making a blob's bootable image.
type trial struct {
	err      error
	failures int // in a row
}

// hopeful is how many attempts in a row must fail of a passing fault before waiting instances hear of it.
const hopeful = 3

// hopeless reports whether whoever waits should stop.
func (t trial) hopeless() bool {
	return t.err != nil && (fault.Permanent(t.err) || t.failures >= hopeful)
}

// Cached returns the image that new disks of this node's guests are made over, and its virtual size in bytes, once it and
// all beneath it are there. It is not ok while they are being made, which a reference of an instance of this node calls
// for: OnCached tells when to ask again. It fails with fault.NotFound if there is no such live blob or no node has its
// content, with fault.Invalid if that is no disk image, with fault.Unavailable if only other nodes have it or the image
// here is damaged, and with the cause if making it failed.
func (m *Manager) Cached(blobID string) (img hypervisor.Image, virtualSize int64, ok bool, err error) {
	const op = "blob.Cached"
	row, found := m.rows.Get(blobID)
	if !found || row.Value.state() == Deleted {
		return img, 0, false, errNotFound(op, blobID)
	}
	if !row.Value.bootable() {
		return img, 0, false, fault.New(op, fault.Invalid, blobID, "blob %s is no disk image, so no guest can use it", blobID)
	}
	chain := append([]view.Row[record]{row}, m.beneath(row)...)
	for _, r := range slices.Backward(chain) {
		if ok, err := m.isCached(r); err != nil || !ok {
			return m.cacheImage(row), 0, false, fault.Wrap(op, blobID, err)
		}
	}
	return m.cacheImage(row), row.Value.Facts.VirtualSize, true, nil
}

// isCached reports whether the image of one blob is there to stay, whatever lies beneath it.
func (m *Manager) isCached(row view.Row[record]) (bool, error) {
	const op = "blob.Cached"
	m.mu.Lock()
	last, going := m.tries[row.ID], m.expiring[row.ID] // before the file is looked for, which may go
	m.mu.Unlock()
	// An image that is there is whole, whoever made it, and even if the content that it was made of is lost.
	if exists(m.cacheImage(row).Path) {
		if m.isSuspect(row) {
			return false, fault.New(op, fault.Unavailable, row.ID,
				"the bootable image of blob %s is damaged on node %s; it is made again once no instance there uses it", row.ID, m.Node)
		}
		return !going, nil
	}
	if _, ok := m.source(row); !ok {
		return false, m.errElsewhere(op, row.ID)
	}
	if last.hopeless() {
		return false, last.err
	}
	return false, nil
}

func (m *Manager) errElsewhere(op, id string) error {
	good, bad := m.holders(id)
	switch {
	case len(good) > 0:
		return fault.New(op, fault.Unavailable, id, "the content of blob %s is on %s and not on %s", id, strings.Join(good, ", "), m.Node)
	case len(bad) > 0:
		return fault.New(op, fault.NotFound, id, "blob missing: the copy of blob %s on %s is damaged and there is no other; fetch the image again",
			id, strings.Join(bad, ", "))
	}
	return fault.New(op, fault.NotFound, id, "blob missing: no node has the content of blob %s any more; fetch the image again", id)
}

// bootable reports whether disks can be made of a blob.
func (r record) bootable() bool { return r.Kind == Image && r.Facts.Format != "" }

// cacheImage is the image that guests boot from, whether it is made yet or not. It bears the ID of the blob that guests'
// disks name, whatever it is made of: disks and images that lie on top of it rely on that name.
func (m *Manager) cacheImage(row view.Row[record]) hypervisor.Image {
	base := filepath.Join(m.Dir, cacheDir, row.ID)
	if row.Value.Facts.Format == hypervisor.ISO {
		return hypervisor.Image{Path: base + ".iso", Format: hypervisor.ISO}
	}
	return hypervisor.Image{Path: base + ".qcow2", Format: hypervisor.QCOW2}
}

// source returns what the bootable image of a blob can be made of on this node: one that was made earlier and kept, or else
// the content.
func (m *Manager) source(row view.Row[record]) (hypervisor.Image, bool) {
	for _, t := range m.transcodesOf(row.ID) {
		if id := blobOf(t.ID); m.isHere(id) && exists(m.Path(id)) {
			return hypervisor.Image{Path: m.Path(id), Format: hypervisor.QCOW2}, true
		}
	}
	if !m.isHere(row.ID) {
		return hypervisor.Image{}, false
	}
	src := hypervisor.Image{Path: m.Path(row.ID), Format: row.Value.Facts.Format}
	if below := m.beneath(row); len(below) > 0 {
		src.Base = m.cacheImage(below[0]).Path
	}
	return src, true
}

// makeCache makes the bootable image of a blob, unless it is there, the driver refused the content for good, or what lies
// beneath it must be made first.
func (m *Manager) makeCache(ctx context.Context, row view.Row[record]) error {
	img := m.cacheImage(row)
	m.mu.Lock()
	last := m.tries[row.ID]
	m.mu.Unlock()
	src, ok := m.source(row)
	if !ok || exists(img.Path) || last.err != nil && fault.KindOf(last.err) == fault.Invalid {
		return nil
	}
	if src.Base != "" && !exists(src.Base) {
		m.loop.Wake(row.Value.DependsOn) // which wakes this one when it is done
		return nil
	}
	done := m.in(m.making, row.ID)
	err := m.Driver.Convert(ctx, src, img.Path)
	done()
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		last.failures++
		last.err = fault.Because("blob.Convert", fault.KindOf(err), row.ID, err, "making a bootable image of blob %s", row.ID)
	} else {
		last = trial{}
	}
	m.mu.Lock()
	m.tries[row.ID] = last
	m.mu.Unlock()
	m.tell(row.ID)
	if err != nil && fault.KindOf(err) == fault.Invalid {
		return m.Events.Record(step.Named(ctx, "commit image refusal", row.ID), about(row.ID), event.Status,
			"image refused by the hypervisor", map[string]any{"error": fault.Text(err), "node": m.Node})
	}
	return last.err
}

// tell has everybody look again who waits for the bootable image of a blob, or of one that lies on top of it.
func (m *Manager) tell(id string) {
	for _, f := range m.onCached {
		f(id)
	}
	m.care.Wake(id)
	for _, child := range m.children(id) {
		m.loop.Wake(child)
		m.tell(child)
	}
}

// forget drops what is known of attempts at a blob's image.
func (m *Manager) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tries, id)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
