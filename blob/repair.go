package blob

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
)

// repairing ends the name by which content is on its way to another blob. It begins with the ID of what was stored, so that
// the sweep knows whose leftover it is.
const repairing = ".repair"

// Repair makes what was stored the content of every live blob with the same bytes whose copy on this node is damaged, or
// which no node has any more, and returns how many those are. Whoever ingested asks for it before Twin, which then finds
// them. What was stored stays as it is.
func (m *Manager) Repair(ctx context.Context, s *Stored) (int, error) {
	repaired := 0
	for _, row := range m.same(s) {
		l, here := m.copyHere(row.ID)
		if here && l.Value.Bad == "" || !here && m.Held(row.ID) {
			continue
		}
		if err := m.repair(ctx, s, row, l); err != nil {
			return repaired, fault.Wrap("blob.Repair", row.ID, err)
		}
		repaired++
	}
	return repaired, nil
}

func (m *Manager) repair(ctx context.Context, s *Stored, row view.Row[record], was view.Row[location]) error {
	// A bootable image that is another name of the damaged file is made again. Once the file has gone nobody would know.
	if m.isSuspect(row) {
		if err := m.discard(ctx, m.cacheImage(row).Path); err != nil {
			return err
		}
	}
	if err := m.replace(ctx, s, row.ID); err != nil {
		return err
	}
	m.forget(row.ID)
	now := time.Now()
	tx := view.Txn{Name: "repair blob", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	tx.Do(m.locations.Put(row.ID+"/"+m.Node, location{Since: now, Checked: now}),
		m.Events.Op(ctx, about(row.ID), event.Status, "content repaired on node "+m.Node, map[string]any{"reason": was.Value.Bad}))
	if err := m.commit(ctx, tx); err != nil {
		return err
	}
	m.Log.InfoContext(ctx, "content of a blob repaired by the same that came again", slog.String("blob", row.ID))
	return nil
}

// replace gives what was stored the name of another blob's content too.
func (m *Manager) replace(ctx context.Context, s *Stored, id string) error {
	link, path := m.Path(s.ID)+repairing, m.Path(id)
	if err := m.folder(id); err != nil {
		return err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskError(link, err)
	}
	if err := os.Link(m.Path(s.ID), link); err != nil {
		return diskError(link, err)
	}
	return step.Do(ctx, "rename repaired blob", id, func() error {
		if err := os.Rename(link, path); err != nil {
			return diskError(path, err)
		}
		return syncName(path)
	})
}
