package instance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// partial ends the name of a file that is not whole yet.
const partial = ".partial"

// makeVariables makes the file of the firmware's variables out of their template, once: what the guest changed in it stays.
func (m *Manager) makeVariables(ctx context.Context, row row) error {
	path := m.nvram(row.ID)
	if row.Value.NVRAM == "" || exists(path) {
		return nil
	}
	template, err := m.Blobs.Open(ctx, row.Value.NVRAM)
	if err != nil {
		return err
	}
	defer template.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(io.LimitReader(template, maxVariables))
	if err != nil {
		return fault.Because("instance.makeVariables", fault.Internal, row.ID, err, "the nvram_template cannot be read; check the disk")
	}
	return writeWhole(ctx, "rename firmware variables", path, content)
}

// copyVariables copies the file of the firmware's variables, which the guest may be writing, to where a snapshot is stored
// from. A copy that was read twice alike is of one moment.
func copyVariables(ctx context.Context, src, dst string) error {
	const op = "instance.copyVariables"
	const tries = 20
	if exists(dst) {
		return nil
	}
	var content []byte
	for range tries {
		again, err := os.ReadFile(src)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fault.New(op, fault.NotFound, "", "the firmware has not written its variables yet; power the instance on once")
		case err != nil:
			return diskFault("read firmware variables", src, err)
		case len(again) > maxVariables:
			return fault.New(op, fault.Invalid, "", "the firmware's variables have %d bytes, at most %d are copied", len(again), maxVariables)
		case content != nil && bytes.Equal(content, again):
			return writeWhole(ctx, "rename copy of firmware variables", dst, content)
		}
		content = again
	}
	return fault.New(op, fault.NotReady, "", "the guest keeps changing the firmware's variables; try again")
}

// writeWhole makes a file complete, in the step of that name, or not at all.
func writeWhole(ctx context.Context, name, path string, content []byte) error {
	f, err := os.OpenFile(path+partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.Write(content)
		if err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = step.Do(ctx, name, path, func() error { return os.Rename(path+partial, path) })
	}
	return diskFault("write firmware variables", path, err)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
