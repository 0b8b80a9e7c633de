package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/shakenfist/shakenfist/fault"
)

// Open opens the content of a live blob for reading; whoever opened it closes it. The content is whole, never changes, and
// can be read to its end even if the blob ends meanwhile. It fails with fault.NotFound if there is no such live blob, or no
// node has its content undamaged any more, and with fault.Unavailable if only other nodes have it.
func (m *Manager) Open(_ context.Context, id string) (*os.File, error) {
	const op = "blob.Open"
	row, ok := m.rows.Get(id)
	if !ok || row.Value.state() == Deleted {
		return nil, errNotFound(op, id)
	}
	if !m.isHere(id) {
		return nil, m.errElsewhere(op, id)
	}
	f, err := os.Open(m.Path(id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(op, fault.NotFound, id, "blob missing: no node has the content of blob %s any more; fetch the image again", id)
	case err != nil:
		return nil, fault.Because(op, fault.Internal, id, err, "the content of blob %s cannot be read; check the disk and the folder's permissions", id)
	}
	return f, nil
}
