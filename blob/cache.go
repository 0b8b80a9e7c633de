package blob

import (
	"context"
	"os"
	"path/filepath"
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

// Cached returns the image that guests of this node boot from, and its virtual size in bytes. It is not ok while the image
// is being made: OnCached tells when to ask again. It fails with fault.NotFound if there is no such live blob or no node
// has its content, with fault.Unavailable if only other nodes have it, and with the cause if making the image failed.
func (m *Manager) Cached(blobID string) (img hypervisor.Image, virtualSize int64, ok bool, err error) {
	const op = "blob.Cached"
	row, found := m.rows.Get(blobID)
	if !found || row.Value.state() == Deleted {
		return img, 0, false, errNotFound(op, blobID)
	}
	// An image that is there is whole, whoever made it, and even if the content that it was made of is lost.
	if img = m.cacheImage(row); exists(img.Path) {
		return img, row.Value.Facts.VirtualSize, true, nil
	}
	if !m.isHere(blobID) {
		return img, 0, false, m.errElsewhere(op, blobID)
	}
	m.mu.Lock()
	last := m.tries[blobID]
	m.mu.Unlock()
	if last.hopeless() {
		err = fault.Wrap(op, blobID, last.err)
	}
	return img, 0, false, err
}

func (m *Manager) errElsewhere(op, id string) error {
	nodes := m.holders(id)
	if len(nodes) == 0 {
		return fault.New(op, fault.NotFound, id, "no node has the content of blob %s any more; fetch the image again", id)
	}
	return fault.New(op, fault.Unavailable, id, "the content of blob %s is on %s and not on %s", id, strings.Join(nodes, ", "), m.Node)
}

// cacheImage is the image that guests boot from, whether it is made yet or not.
func (m *Manager) cacheImage(row view.Row[record]) hypervisor.Image {
	base := filepath.Join(m.Dir, cacheDir, row.ID)
	if row.Value.Facts.Format == hypervisor.ISO {
		return hypervisor.Image{Path: base + ".iso", Format: hypervisor.ISO}
	}
	return hypervisor.Image{Path: base + ".qcow2", Format: hypervisor.QCOW2}
}

// makeCache makes the bootable image of a blob that is here, unless it is there or the driver refused the content for good.
func (m *Manager) makeCache(ctx context.Context, row view.Row[record]) error {
	img := m.cacheImage(row)
	m.mu.Lock()
	last := m.tries[row.ID]
	m.mu.Unlock()
	if exists(img.Path) || last.err != nil && fault.KindOf(last.err) == fault.Invalid {
		return nil
	}
	err := m.Driver.Convert(ctx, hypervisor.Image{Path: m.Path(row.ID), Format: row.Value.Facts.Format}, img.Path)
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
	for _, f := range m.onCached {
		f(row.ID)
	}
	if err != nil && fault.KindOf(err) == fault.Invalid {
		return m.Events.Record(step.Named(ctx, "commit image refusal", row.ID), about(row.ID), event.Status,
			"image refused by the hypervisor", map[string]any{"error": fault.Text(err), "node": m.Node})
	}
	return last.err
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
