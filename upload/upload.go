// Package upload keeps what clients send piece by piece until it becomes a version of an artifact.
//
// An upload is a record in the store and a file on the node that made it. Append adds to the file's end, one request at a
// time; the file's size is how far the upload got, whatever an earlier answer said. Take hands the whole over to package blob,
// and the commit that makes it a version ends it. One that nobody adds to for long ends by itself.
package upload

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/lookup"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// Upload is content that is on its way.
type Upload struct {
	ID        string // UUID, lower case
	Node      string // that has the file
	Namespace string // of who made it; whoever knows the UUID may use it
	Created   time.Time
	State     State
}

// record is an upload in the store, at "upload/<uuid>". How much there is of it is the size of the file.
type record struct {
	Node      string    `json:"node"`
	Namespace string    `json:"namespace"`
	Created   time.Time `json:"created"`
}

type row = view.Row[record]

func toUpload(r row) Upload {
	return Upload{ID: r.ID, Node: r.Value.Node, Namespace: r.Value.Namespace, Created: r.Value.Created, State: Created}
}

// Create begins an upload to this node for a namespace. It fails with fault.Exhausted if the namespace has too many that are
// not finished, or the disk has no room.
func (m *Manager) Create(ctx context.Context, namespace string) (Upload, error) {
	const op = "upload.Create"
	if n := m.rows.Count("namespace", namespace); n >= m.Most {
		return Upload{}, fault.New(op, fault.Exhausted, "",
			"namespace %q has %d unfinished uploads, at most %d are allowed: make artifacts of them, or wait until they expire", namespace, n, m.Most)
	}
	id := uuid.NewString()
	if err := m.acquire(id); err != nil {
		return Upload{}, err
	}
	defer m.leave(id) // the loop looks whether there is a record; if not, the file goes
	if err := m.makeFile(ctx, id); err != nil {
		return Upload{}, err
	}
	r := record{Node: m.Node, Namespace: namespace, Created: time.Now()}
	tx := view.Txn{Name: "create upload", Ref: id}
	tx.Check(store.Absent(m.rows.Key(id)))
	tx.Do(m.rows.Put(id, r), m.Events.Op(ctx, about(id), event.Audit, "create request", map[string]any{"namespace": namespace, "node": m.Node}))
	if err := m.commit(ctx, tx); err != nil {
		return Upload{}, fault.Wrap(op, id, err)
	}
	return toUpload(row{ID: id, Value: r}), nil
}

func (m *Manager) makeFile(ctx context.Context, id string) error {
	path := m.path(id)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil { // an upload may come before Run got that far
		return diskError(id, err)
	}
	if err := m.Blobs.Room(path, 0); err != nil {
		return err
	}
	return step.Do(ctx, "create upload file", id, func() error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640) //nolint:gosec // as the blob that it may become
		if err != nil {
			return diskError(id, err)
		}
		if err := f.Close(); err != nil {
			return diskError(id, err)
		}
		return m.touch(id)
	})
}

// Get returns an upload that is not finished. It fails with fault.NotFound.
func (m *Manager) Get(_ context.Context, id string) (Upload, error) {
	r, err := m.find("upload.Get", id)
	return toUpload(r), err
}

func (m *Manager) find(op, ref string) (row, error) {
	id, _ := lookup.UUID(ref)
	r, ok := m.rows.Get(id)
	if !ok {
		return r, errGone(op, ref)
	}
	return r, nil
}

func errGone(op, ref string) error {
	return fault.New(op, fault.NotFound, ref, "upload not found: it does not exist, became an artifact, or expired")
}

// here is find for what needs the file.
func (m *Manager) here(op, ref string) (row, error) {
	r, err := m.find(op, ref)
	if err == nil && r.Value.Node != m.Node {
		return r, fault.New(op, fault.Unavailable, ref, "upload %s is on node %s; send it there", r.ID, r.Value.Node)
	}
	return r, err
}

// path returns where the bytes of an upload lie.
func (m *Manager) path(id string) string { return filepath.Join(m.Dir, folder, id) }

// touch notes that an upload was written to now, by the clock that Idle is measured with.
func (m *Manager) touch(id string) error {
	now := time.Now()
	if err := os.Chtimes(m.path(id), now, now); err != nil {
		return diskError(id, err)
	}
	return nil
}

// discard removes a file of an upload. One that is not there is fine.
func (m *Manager) discard(ctx context.Context, id, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return step.Do(ctx, "remove upload file", id, func() error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Because("upload.discard", fault.Internal, id, err, "the file of an upload cannot be removed")
		}
		return nil
	})
}

func about(id string) event.Object { return event.Object{Kind: "upload", ID: id} }
