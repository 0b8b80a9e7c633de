//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"path/filepath"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/qemuimg"
)

// CopyDisk implements hypervisor.Driver. That nobody writes to the disk meanwhile is seen to by QEMU's locks on images.
func (d *Driver) CopyDisk(ctx context.Context, c hypervisor.DiskCopy) error {
	const op = "libvirthv.CopyDisk"
	if c.Base != "" && (c.Base != filepath.Base(c.Base) || c.Base == ".") {
		return fault.New(op, fault.Invalid, c.Dst, "base %q of a copy, want a plain file name", c.Base)
	}
	return d.files.Make(ctx, c.Dst, func(partial string) error {
		size, err := virtualSize(c.Src)
		if err != nil {
			return err
		}
		src := qemuimg.Source{Path: c.Src, Format: string(hypervisor.QCOW2), Backing: c.Backing}
		return qemuimg.Copy(ctx, src, partial, qemuimg.To{Compress: c.Compress, Base: c.Base, Size: size, Room: c.Room})
	})
}
