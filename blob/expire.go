package blob

import (
	"context"
	"os"
	"time"

	"github.com/shakenfist/shakenfist/internal/view"
)

// tend sees that the bootable image of a blob is here if somebody wants it, and goes when nobody did for long.
func (m *Manager) tend(ctx context.Context, row view.Row[record]) error {
	switch {
	case !row.Value.bootable():
		return nil
	case m.isSuspect(row) && !m.isUsedHere(row.ID):
		if err := m.expire(ctx, row, m.isUsedHere); err != nil {
			return err
		}
		return m.makeCache(ctx, row)
	case m.isWanted(row.ID):
		return m.makeCache(ctx, row)
	case m.isRecent(row.ID):
		return nil
	}
	return m.expire(ctx, row, func(id string) bool { return m.isWanted(id) || m.isRecent(id) })
}

// isUsedHere reports whether disks of this node's instances lie on the image of a blob, or are about to, be it that others
// lie between.
func (m *Manager) isUsedHere(id string) bool {
	for _, r := range m.refs.By("blob", id) {
		o := ownerOf(r)
		if o.Kind == Instance && o.Node == m.Node || o.Kind == Child && m.isUsedHere(o.ID) {
			return true
		}
	}
	return false
}

// isWanted reports whether the image of a blob shall be here: for an instance, because it was fetched ahead of instances
// not long ago, or because one lies on top of it that shall be here.
func (m *Manager) isWanted(id string) bool {
	for _, r := range m.refs.By("blob", id) {
		switch o := ownerOf(r); {
		case o.Kind == Instance && o.Node == m.Node:
			return true
		case o.Kind == Child && m.isWanted(o.ID):
			return true
		case o.Ahead && m.isRecent(id):
			return true
		}
	}
	return false
}

// isRecent reports whether a blob was used, or fetched ahead, so short a time ago that its image stays, or one on top of it
// was.
func (m *Manager) isRecent(id string) bool {
	refs := m.refs.By("blob", id)
	last := m.lastUsed(id, refs)
	for _, r := range refs {
		switch o := ownerOf(r); {
		case o.Ahead && r.Value.Since.After(last):
			last = r.Value.Since
		case o.Kind == Child && m.isRecent(o.ID):
			return true
		}
	}
	return time.Since(last) < m.CacheIdle
}

// isSuspect reports whether the bootable image that is here is another name of a file that was found damaged.
func (m *Manager) isSuspect(row view.Row[record]) bool {
	bad := m.badFiles(row.ID)
	if len(bad) == 0 {
		return false
	}
	img, err := os.Lstat(m.cacheImage(row).Path)
	if err != nil {
		return false
	}
	for _, path := range bad {
		if f, err := os.Lstat(path); err == nil && os.SameFile(f, img) {
			return true
		}
	}
	return false
}

// badFiles returns the files of this node that were found damaged, of a blob's content and of its transcodes.
func (m *Manager) badFiles(id string) []string {
	var paths []string
	ids := []string{id}
	for _, t := range m.transcodesOf(id) {
		ids = append(ids, blobOf(t.ID))
	}
	for _, id := range ids {
		if l, ok := m.copyHere(id); ok && l.Value.Bad != "" {
			paths = append(paths, m.Path(id))
		}
	}
	return paths
}

// expire removes the bootable image of a blob, and has the blobs end that were made of it, unless the store says that
// somebody keeps it. Whoever asks for the image meanwhile waits, so that no disk is made over a file that goes.
func (m *Manager) expire(ctx context.Context, row view.Row[record], keeps func(id string) bool) error {
	img := m.cacheImage(row)
	if !exists(img.Path) && len(m.expendable(row.ID)) == 0 {
		return nil
	}
	defer m.tell(row.ID)
	defer m.in(m.expiring, row.ID)()
	if err := m.View.Fresh(ctx); err != nil {
		return err
	}
	if keeps(row.ID) {
		return nil
	}
	if err := m.discard(ctx, img.Path); err != nil {
		return err
	}
	return m.dropTranscodes(ctx, row.ID)
}
