package simhv

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/image"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

// MakeDisk implements hypervisor.Driver. The file is the header of a QCOW2 image.
func (d *Driver) MakeDisk(ctx context.Context, disk hypervisor.Disk) error {
	if err := d.ready(ctx, "MakeDisk", disk.Path); err != nil {
		return err
	}
	return d.files.Make(ctx, disk.Path, func(partial string) error {
		size, err := image.DiskSize(disk)
		if err != nil {
			return err
		}
		return write(partial, qcow2.Blank(size, disk.Base))
	})
}

// Convert implements hypervisor.Driver. Of src only the size and what simulated guests
// wrote are kept, but for ISO images, which are kept whole.
func (d *Driver) Convert(ctx context.Context, src hypervisor.Image, dst string) error {
	if err := d.ready(ctx, "Convert", dst); err != nil {
		return err
	}
	return d.files.Make(ctx, dst, func(partial string) error {
		info, err := image.Inspect(src)
		if err != nil {
			return err
		}
		if src.Format == hypervisor.ISO {
			return image.LinkOrCopy(src.Path, partial)
		}
		text, err := read(src.Path)
		if err != nil {
			return err
		}
		return write(partial, append(qcow2.Empty(info.Size, src.Base), content{text: text.text}.tail()...))
	})
}

func write(path string, b []byte) error {
	const op = "simhv.write"
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Because(op, fault.NotFound, path, err, "the file's folder is not there")
	}
	if err != nil {
		return fault.Because(op, fault.Internal, path, err, "the file cannot be made")
	}
	_, err = io.Copy(f, bytes.NewReader(b))
	if err := errors.Join(err, f.Close()); err != nil {
		return fault.Because(op, fault.Internal, path, err, "the file cannot be written")
	}
	return nil
}
