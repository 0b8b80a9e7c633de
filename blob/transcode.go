package blob

import (
	"context"
	"log/slog"
	"os"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/view"
)

// cacheStyle is what the API calls the form in which images are cached: a QCOW2, zlib where it is compressed, whose large
// clusters are what it is made for.
const cacheStyle = "zlib;qcow2;cluster_size"

// transcodesOf returns the references by which a blob keeps its transcodes.
func (m *Manager) transcodesOf(id string) []view.Row[reference] { return m.refs.By("original", id) }

// transcodes returns the blobs with the same disk as another, by their style.
func (m *Manager) transcodes(id string) map[string]string {
	all := map[string]string{}
	for _, t := range m.transcodesOf(id) {
		all[t.Value.Style] = blobOf(t.ID)
	}
	return all
}

// keepTranscode makes the bootable image of a blob the content of a blob of its own, by another name of the same file, so
// that nobody need convert it again.
func (m *Manager) keepTranscode(ctx context.Context, row view.Row[record]) error {
	if !m.isWorthKeeping(row) {
		return nil
	}
	s, err := m.IngestFile(ctx, m.cacheImage(row).Path, Content{Size: -1, Modified: row.Value.Modified, Kind: Image, gently: true})
	if err != nil {
		return err
	}
	defer s.Done()
	err = m.View.Retry(ctx, func() error {
		now, ok := m.rows.Get(row.ID)
		if !ok || now.Value.state() == Deleted || len(m.transcodesOf(row.ID)) > 0 {
			return nil
		}
		tx := view.Txn{Name: "keep transcode", Ref: row.ID}
		tx.Check(m.rows.At(now, row.ID))
		if err := m.refer(ctx, &tx, s, Owner{Kind: Transcode, ID: row.ID}); err != nil {
			return err
		}
		return m.commit(ctx, tx)
	})
	if err == nil {
		m.Log.DebugContext(ctx, "bootable image kept as a blob", slog.String("blob", row.ID), slog.String("transcode", s.ID))
	}
	return err
}

// refer adds to tx that a blob with the bytes of s, a new one unless there is one, is a transcode for owner.
func (m *Manager) refer(ctx context.Context, tx *view.Txn, s *Stored, owner Owner) error {
	ref := owner.reference()
	ref.Style = cacheStyle
	if twin, ok := m.Twin(s); ok && twin != owner.ID {
		return m.addRef(tx, twin, owner, ref)
	}
	if err := m.Record(ctx, tx, s, owner); err != nil {
		return err
	}
	tx.Replace(m.refs.Put(owner.row(s.ID), ref))
	return nil
}

// isWorthKeeping reports whether a blob has a bootable image that is no other name of its content, is likely to be asked for
// again, and took enough work. A transcode has none of its own, and one over another image is cheap to make.
func (m *Manager) isWorthKeeping(row view.Row[record]) bool {
	r := row.Value
	if !r.bootable() || r.Facts.Format == hypervisor.ISO || r.DependsOn != "" || r.Size < m.KeepFrom {
		return false
	}
	if len(m.transcodesOf(row.ID)) > 0 || !m.isHere(row.ID) || !m.isWanted(row.ID) && !m.isRecent(row.ID) {
		return false
	}
	for _, ref := range m.refs.By("blob", row.ID) {
		if ownerOf(ref).Kind == Transcode {
			return false
		}
	}
	content, err := os.Lstat(m.Path(row.ID))
	img, err2 := os.Lstat(m.cacheImage(row).Path)
	return err == nil && err2 == nil && !os.SameFile(content, img)
}

// expendable returns the references to those transcodes of a blob that this node has and nobody misses. A good one is all
// that is left of a blob whose content is lost.
func (m *Manager) expendable(id string) []view.Row[reference] {
	var all []view.Row[reference]
	for _, t := range m.transcodesOf(id) {
		if l, here := m.copyHere(blobOf(t.ID)); here && (l.Value.Bad != "" || m.Held(id)) {
			all = append(all, t)
		}
	}
	return all
}

func (m *Manager) dropTranscodes(ctx context.Context, id string) error {
	tx := view.Txn{Name: "drop transcodes", Ref: id}
	for _, t := range m.expendable(id) {
		tx.Do(m.refs.Delete(t.ID))
	}
	if len(tx.Ops) == 0 {
		return nil
	}
	return m.commit(ctx, tx)
}

// dropStale drops a blob's references to transcodes of which no node has the content, and those that say that it is a
// transcode of what is no more.
func (m *Manager) dropStale(ctx context.Context, id string) error {
	tx := view.Txn{Name: "drop stale references", Ref: id}
	for _, t := range m.transcodesOf(id) {
		if m.locations.Count("blob", blobOf(t.ID)) == 0 {
			tx.Do(m.refs.Delete(t.ID))
		}
	}
	for _, ref := range m.refs.By("blob", id) {
		o := ownerOf(ref)
		if o.Kind != Transcode || m.rows.Unreadable(o.ID) {
			continue
		}
		if row, ok := m.rows.Get(o.ID); !ok || row.Value.state() == Deleted {
			tx.Do(m.refs.Delete(ref.ID))
		}
	}
	if len(tx.Ops) == 0 {
		return nil
	}
	return m.commit(ctx, tx)
}
