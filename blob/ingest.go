package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// partial ends the name of content that is not whole yet.
const partial = ".partial"

// Ingest stores content as a file of this node. Images that are packed by gzip, xz or zstd are unpacked. It fails as Begin,
// Write and Finish of a Writer do, and with the reader's own error; then it leaves nothing behind.
func (m *Manager) Ingest(ctx context.Context, c Content) (*Stored, error) {
	w, err := m.Begin(ctx, c)
	if err != nil {
		return nil, err
	}
	defer w.Abort(ctx)
	// Without WriterTo and ReaderFrom, by which a file would bypass the Writer.
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, ctxReader{ctx, c.Reader}, make([]byte, copyBytes))
	if err != nil {
		return nil, err
	}
	return w.Finish(ctx)
}

const copyBytes = 64 << 10

// facts judges content of size bytes.
func (m *Manager) facts(r io.ReaderAt, size int64, c Content) (Facts, error) {
	switch {
	case c.Kind == Other:
		head, err := readAt(r, 0, min(size, sectorBytes))
		if err != nil {
			return Facts{}, err
		}
		return Facts{MIMEType: http.DetectContentType(head)}, nil
	case c.Base != "":
		return inspectOver(r, size, m.Limits, c.Base+".qcow2")
	}
	return Inspect(r, size, m.Limits)
}

// publish gives whole content its name, and sees the name safe on disk.
func publish(path string) error {
	if err := os.Rename(path+partial, path); err != nil {
		return diskError(path, err)
	}
	return syncName(path)
}

// syncName sees the name of content safe on disk. Its folder may be new too.
func syncName(path string) error {
	shard := filepath.Dir(path)
	if err := syncDir(shard); err != nil {
		return err
	}
	return syncDir(filepath.Dir(shard))
}

// discard removes a file as a step of its own. One that is not there is fine.
func (m *Manager) discard(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return step.Do(context.WithoutCancel(ctx), "remove file", filepath.Base(path), func() error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Because("blob.discard", fault.Internal, path, err, "the file cannot be removed")
		}
		return nil
	})
}

// ctxReader stops reading when ctx ends.
type ctxReader struct {
	ctx    context.Context //nolint:containedctx // lives as long as one copy
	reader io.Reader
}

func (r ctxReader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.reader.Read(b)
}
