package blob

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/store"
)

// sweep removes the files that no blob wants and the records that lingered long enough.
func (m *Manager) sweep(ctx context.Context) error {
	return errors.Join(m.sweepFiles(ctx), m.sweepRecords(ctx))
}

// sweepFiles finds every file of ours that neither a blob nor whoever makes one wants, and has its blob's own pass remove it:
// that pass is also what makes files. A file is ours if its name begins with a blob's ID.
func (m *Manager) sweepFiles(context.Context) error {
	found, err := m.files()
	if err != nil {
		return err
	}
	strays := map[string][]string{}
	for _, path := range found {
		if id := owner(path); !m.isHeld(id) && !m.wants(id, path) {
			strays[id] = append(strays[id], path)
		}
	}
	ids := slices.Collect(maps.Keys(strays))
	m.mu.Lock()
	m.strays = strays
	m.mu.Unlock()
	for _, id := range ids {
		m.loop.Wake(id)
	}
	return nil
}

// wants reports whether a file belongs to a live blob, wherever its content is said to be. Whether a bootable image is still
// wanted, and what lies here as content unsaid, is the business of the blob's own pass.
func (m *Manager) wants(id, path string) bool {
	row, ok := m.rows.Get(id)
	if !ok {
		return m.rows.Unreadable(id) // by this program; a newer one wrote it
	}
	return row.Value.state() != Deleted && (path == m.Path(id) || path == m.cacheImage(row).Path)
}

// removeStrays removes those files of a live blob that the sweep found and nobody wants.
func (m *Manager) removeStrays(ctx context.Context, id string) error {
	m.mu.Lock()
	found := m.strays[id]
	delete(m.strays, id)
	m.mu.Unlock()
	var failed error
	for _, path := range found {
		if !m.wants(id, path) {
			failed = errors.Join(failed, m.discard(ctx, path))
		}
	}
	return failed
}

// removeStray removes the files of what is no blob. That a blob is not in the view proves nothing before the view is
// fresh: its commit may have succeeded a moment ago.
func (m *Manager) removeStray(ctx context.Context, id string) error {
	m.forget(id)
	if found, err := m.filesOf(id); err != nil || len(found) == 0 {
		return err
	}
	if err := m.View.Fresh(ctx); err != nil {
		return err
	}
	return m.remove(id, func() error {
		if _, ok := m.rows.Get(id); ok || m.rows.Unreadable(id) {
			return nil // its change woke the loop, or it is a newer program's business
		}
		return m.removeFiles(ctx, id)
	})
}

func (m *Manager) removeFiles(ctx context.Context, id string) error {
	found, failed := m.filesOf(id)
	for _, path := range found {
		failed = errors.Join(failed, m.discard(ctx, path))
	}
	return failed
}

// filesOf returns every file that belongs to a blob, whatever follows its ID in the name.
func (m *Manager) filesOf(id string) ([]string, error) {
	var paths []string
	for _, dir := range []string{filepath.Dir(m.Path(id)), filepath.Join(m.Dir, cacheDir)} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fault.Because("blob.filesOf", fault.Internal, dir, err, "the images' folder cannot be read")
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), id) {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	return paths, nil
}

// files returns every file of ours.
func (m *Manager) files() ([]string, error) {
	var paths []string
	for _, d := range []string{contentDir, cacheDir} {
		err := filepath.WalkDir(filepath.Join(m.Dir, d), func(path string, e fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case !e.IsDir() && owner(path) != "":
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil {
			return nil, fault.Because("blob.files", fault.Internal, m.Dir, err, "the images' folder cannot be read")
		}
	}
	return paths, nil
}

// owner returns the blob that a file belongs to by its name, or "".
func owner(path string) string {
	name := filepath.Base(path)
	if len(name) < 36 || uuid.Validate(name[:36]) != nil {
		return ""
	}
	return name[:36]
}

// sweepRecords removes what is left in the store of blobs that were deleted long enough ago.
func (m *Manager) sweepRecords(ctx context.Context) error {
	for _, row := range m.rows.By("deleted", "yes") {
		if time.Since(row.Value.Deleted) < m.Linger || m.locations.Count("blob", row.ID) > 0 {
			continue
		}
		tx := view.Txn{Name: "forget blob", Ref: row.ID}
		tx.Check(m.rows.At(row, row.ID))
		tx.Do(m.rows.Delete(row.ID), m.used.Delete(row.ID), metadata.Gone(metadata.Blob, row.ID))
		tx.Do(m.Events.Forget(about(row.ID))...)
		// Another node may be quicker.
		if err := m.commit(ctx, tx); err != nil && store.FailedChecks(err) == nil {
			return err
		}
	}
	return nil
}
