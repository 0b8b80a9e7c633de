//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/image"
	"github.com/shakenfist/shakenfist/internal/qemuimg"
)

// CopyDisk implements hypervisor.Driver. That nobody writes to the disk meanwhile is seen to by QEMU's locks on images.
func (d *Driver) CopyDisk(ctx context.Context, c hypervisor.DiskCopy) error {
	if err := image.CheckCopy(c); err != nil {
		return err
	}
	return d.files.Make(ctx, c.Dst, func(partial string) error {
		size, err := image.Size(c.Src)
		if err != nil {
			return err
		}
		src := qemuimg.Source{Path: c.Src, Format: string(hypervisor.QCOW2), Backing: c.Backing}
		return qemuimg.Copy(ctx, src, partial, qemuimg.To{Compress: c.Compress, Base: c.Base, Size: size, Room: c.Room})
	})
}
