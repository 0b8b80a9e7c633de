package upload

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// grace is how long an upload may be without a file before it is given up: its disk may be on its way back.
const grace = time.Hour

// reconcile takes the next step for one upload of this node: it is checked for somebody, expires, or its file goes.
func (m *Manager) reconcile(ctx context.Context, id string) (time.Duration, error) {
	if row, ok := m.rows.Get(id); ok {
		if row.Value.Node != m.Node {
			return 0, nil
		}
		if worked, again := m.work(ctx, id); worked {
			return again, nil
		}
		return m.expire(ctx, row)
	}
	return 0, m.removeStray(ctx, id)
}

// expire ends an upload that nobody added to for long, or whose file is lost. It returns when to look again.
func (m *Manager) expire(ctx context.Context, row row) (time.Duration, error) {
	if _, left, err := m.fate(row); err != nil || left > 0 {
		return left, err
	}
	if err := m.acquire(row.ID); err != nil {
		return 0, nil //nolint:nilerr // who has it wakes the loop
	}
	defer m.release(row.ID)
	message, left, err := m.fate(row) // somebody may have added to it just now
	if err != nil || left > 0 {
		return left, err
	}
	tx := view.Txn{Name: "expire upload", Ref: row.ID}
	m.end(ctx, &tx, row, event.Status, message, map[string]any{"node": m.Node})
	return 0, m.commit(ctx, tx)
}

// fate says why an upload ends next if nobody adds to it, and how long that takes yet.
func (m *Manager) fate(row row) (message string, left time.Duration, err error) {
	info, err := os.Stat(m.path(row.ID))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "given up: its file is lost", grace - time.Since(row.Value.Created), nil
	case err != nil:
		return "", 0, diskError(row.ID, err)
	}
	since := row.Value.Created
	if info.ModTime().After(since) {
		since = info.ModTime()
	}
	return "expired: nobody added to it", m.Idle - time.Since(since), nil
}

// removeStray removes the file of what is no upload any more. That it is not in the view proves nothing before the view is
// fresh: its commit may have succeeded a moment ago.
func (m *Manager) removeStray(ctx context.Context, id string) error {
	m.abandon(id)
	if _, err := os.Lstat(m.path(id)); m.isBusy(id) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := m.View.Fresh(ctx); err != nil {
		return err
	}
	if _, ok := m.rows.Get(id); ok || m.rows.Unreadable(id) || m.isBusy(id) {
		return nil
	}
	return m.discard(ctx, id, m.path(id))
}

// sweep removes the files of no upload, and copies of files that were cut off. Files of other names are none of ours.
func (m *Manager) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(m.Dir, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Because("upload.sweep", fault.Internal, m.Dir, err, "the folder for uploads cannot be read")
	}
	var failed error
	for _, e := range entries {
		id, isCopy := strings.CutSuffix(e.Name(), copying)
		if len(id) != 36 || uuid.Validate(id) != nil {
			continue
		}
		if _, ok := m.rows.Get(id); isCopy {
			failed = errors.Join(failed, m.removeCopy(ctx, id))
		} else if !ok {
			failed = errors.Join(failed, m.removeStray(ctx, id))
		}
	}
	return failed
}

// removeCopy removes what is left of a copy of an upload's file, unless it is being made.
func (m *Manager) removeCopy(ctx context.Context, id string) error {
	if m.acquire(id) != nil {
		return nil // who has it makes it, or is followed by another sweep
	}
	defer m.release(id)
	return m.discard(ctx, id, m.path(id)+copying)
}

// NodeDeleted ends the uploads to a node that was deleted: nobody else has their bytes. It is for node.Manager.OnDelete.
func (m *Manager) NodeDeleted(ctx context.Context, name string, gone store.Check) error {
	var ids []string
	for _, row := range m.rows.By("node", name) {
		ids = append(ids, row.ID)
	}
	return m.View.Batch(ctx, "drop uploads", ids, func(tx *view.Txn, id string) error {
		row, ok := m.rows.Get(id)
		if !ok || row.Value.Node != name {
			return nil
		}
		if len(tx.Checks) == 0 {
			tx.Check(gone)
			m.Fence.Guard(tx)
		}
		m.end(ctx, tx, row, event.Status, "lost with its node", map[string]any{"cause": "node " + name + " was deleted"})
		return nil
	})
}
