package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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

// sweepFiles removes every file of ours that neither a blob nor a running Ingest wants. A file is ours if its name begins with a
// blob's ID.
func (m *Manager) sweepFiles(ctx context.Context) error {
	found, err := m.files()
	if err != nil {
		return err
	}
	// Who is held must be looked at before the view is made fresh: what was let go by now, and is a blob, is in it then.
	var suspects []string
	for _, path := range found {
		if id := owner(path); !m.isHeld(id) && !m.wants(id, path) {
			suspects = append(suspects, path)
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	if err := m.View.Fresh(ctx); err != nil {
		return err
	}
	var failed error
	for _, path := range suspects {
		if !m.wants(owner(path), path) {
			failed = errors.Join(failed, m.discard(ctx, path))
		}
	}
	return failed
}

// wants reports whether a file belongs to a live blob, wherever its content is said to be. Content that lies here unsaid
// is the business of the blob's own pass; the image stays in any case, because guests' disks lie on top of it.
func (m *Manager) wants(id, path string) bool {
	row, ok := m.rows.Get(id)
	if !ok {
		return m.rows.Unreadable(id) // by this program; a newer one wrote it
	}
	if row.Value.state() == Deleted {
		return false
	}
	img := m.cacheImage(row).Path
	// While the image is being made, there are files beside it that only the driver knows.
	beside := filepath.Dir(path) == filepath.Dir(img) && !exists(img)
	return path == m.Path(id) || path == img || beside
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
	if _, ok := m.rows.Get(id); ok || m.rows.Unreadable(id) {
		return nil // its change woke the loop, or it is a newer program's business
	}
	return m.removeFiles(ctx, id)
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
		tx.Do(m.rows.Delete(row.ID), metadata.Gone(metadata.Blob, row.ID))
		tx.Do(m.Events.Forget(about(row.ID))...)
		// Another node may be quicker.
		if err := m.commit(ctx, tx); err != nil && store.FailedChecks(err) == nil {
			return err
		}
	}
	return nil
}
