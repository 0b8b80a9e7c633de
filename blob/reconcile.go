package blob

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// reconcile takes the next steps for one blob on this node.
func (m *Manager) reconcile(ctx context.Context, id string) (time.Duration, error) {
	if m.isHeld(id) {
		return 0, nil // letting it go looks again
	}
	row, ok := m.rows.Get(id)
	if !ok {
		return 0, m.removeStray(ctx, id)
	}
	switch here := m.isHere(id); row.Value.state() {
	case Deleted:
		return 0, m.dismantle(ctx, id, here)
	case Created:
		switch lost := m.locations.Count("blob", id) == 0; {
		case m.refs.Count("blob", id) == 0 && (here || lost):
			return 0, m.end(ctx, id)
		case !here:
			return 0, m.adopt(ctx, row)
		}
		return 0, m.keep(ctx, row)
	}
	return 0, nil
}

// end ends a blob that nobody refers to, in a commit that conflicts with every new reference.
func (m *Manager) end(ctx context.Context, id string) error {
	return m.View.Retry(ctx, func() error {
		row, ok := m.rows.Get(id)
		if !ok || row.Value.state() == Deleted || m.refs.Count("blob", id) > 0 {
			return nil
		}
		tx := view.Txn{Name: "end blob", Ref: id}
		tx.Check(store.Empty(m.refs.Key(refPrefix(id))))
		if err := m.move(ctx, &tx, row, Deleted, "deleted: nothing refers to it any more"); err != nil {
			return err
		}
		return m.commit(ctx, tx)
	})
}

// dismantle removes the files of a deleted blob, and then says that they are gone.
func (m *Manager) dismantle(ctx context.Context, id string, here bool) error {
	m.forget(id)
	if err := m.removeFiles(ctx, id); err != nil || !here {
		return err
	}
	return m.dropLocation(ctx, id, "")
}

func (m *Manager) dropLocation(ctx context.Context, id, why string) error {
	tx := view.Txn{Name: "drop blob location", Ref: id}
	tx.Do(m.locations.Delete(id + "/" + m.Node))
	if why != "" {
		tx.Do(m.Events.Op(ctx, about(id), event.Status, "content lost on node "+m.Node, map[string]any{"reason": why}))
	}
	return m.commit(ctx, tx)
}

// keep sees that the content of a blob is here as recorded, and its bootable image too.
func (m *Manager) keep(ctx context.Context, row view.Row[record]) error {
	info, err := os.Lstat(m.Path(row.ID))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m.lose(ctx, row.ID, "the file "+m.Path(row.ID)+" is gone")
	case err != nil:
		return fault.Because("blob.keep", fault.Internal, row.ID, err, "the content cannot be looked at")
	case !info.Mode().IsRegular() || info.Size() != row.Value.Size:
		return m.lose(ctx, row.ID, "the file "+m.Path(row.ID)+" was changed: it has another size")
	}
	return m.makeCache(ctx, row)
}

// lose says that content is not here any more, so that nobody counts on it. A file that is found again is adopted.
func (m *Manager) lose(ctx context.Context, id, why string) error {
	m.Log.ErrorContext(ctx, "content of a blob lost", slog.String("blob", id), slog.String("reason", why))
	m.forget(id)
	return m.dropLocation(ctx, id, why)
}

// adopt takes content that lies here although nobody said so: a disk that was away is back. What does not match the
// record is removed.
func (m *Manager) adopt(ctx context.Context, row view.Row[record]) error {
	path := m.Path(row.ID)
	if !exists(path) {
		return nil
	}
	sum, err := checksum(ctx, path)
	if err != nil {
		return err
	}
	if sum != row.Value.SHA512 {
		return m.discard(ctx, path)
	}
	tx := view.Txn{Name: "adopt blob", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	tx.Do(m.locations.Put(row.ID+"/"+m.Node, location{Since: time.Now()}),
		m.Events.Op(ctx, about(row.ID), event.Status, "content found again on node "+m.Node, nil))
	return m.commit(ctx, tx)
}

func checksum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fault.Because("blob.checksum", fault.Internal, path, err, "the content cannot be read")
	}
	defer f.Close() //nolint:errcheck // only read
	hash := sha512.New()
	if _, err := io.Copy(hash, ctxReader{ctx, f}); err != nil {
		return "", fault.Because("blob.checksum", fault.Internal, path, err, "the content cannot be read")
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
