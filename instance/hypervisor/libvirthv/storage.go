//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/image"
	"github.com/shakenfist/shakenfist/internal/qemuimg"
)

// MakeDisk implements hypervisor.Driver.
func (d *Driver) MakeDisk(ctx context.Context, disk hypervisor.Disk) error {
	return d.files.Make(ctx, disk.Path, func(partial string) error {
		size, err := image.DiskSize(disk)
		if err != nil {
			return err
		}
		if err := qemuimg.Create(ctx, partial, size, disk.Base); err != nil {
			return err
		}
		return d.grant(partial, true)
	})
}

// Convert implements hypervisor.Driver. The image becomes a QCOW2 with clusters of 2 MiB, or, of an ISO image and of
// one that is so already, another name of the same file. One over src.Base names that by its path, as overlays do.
func (d *Driver) Convert(ctx context.Context, src hypervisor.Image, dst string) error {
	return d.files.Make(ctx, dst, func(partial string) error {
		info, err := image.Inspect(src)
		if err != nil {
			return err
		}
		from, to := qemuimg.Source{Path: src.Path, Format: qemuName(src.Format)}, qemuimg.To{Size: info.Size, Room: d.room(dst)}
		switch {
		case src.Base != "":
			from.Backing, to.Base = []string{src.Base}, src.Base
			err = qemuimg.Copy(ctx, from, partial, to)
		case src.Format == hypervisor.ISO || asWeMakeThem(info):
			err = image.LinkOrCopy(src.Path, partial)
		default:
			err = qemuimg.Copy(ctx, from, partial, to)
		}
		if err != nil {
			return err
		}
		return d.grant(partial, false)
	})
}

// qemuName is what QEMU calls a format.
func qemuName(f hypervisor.Format) string {
	if f == hypervisor.VHD {
		return "vpc"
	}
	return string(f)
}

// room returns what says, as a fault.Exhausted, that the file system of path has less free than Options.MinFree.
func (d *Driver) room(path string) func() error {
	dir := filepath.Dir(path)
	return func() error {
		var s syscall.Statfs_t
		if syscall.Statfs(dir, &s) != nil {
			return nil // whoever writes there hears why
		}
		floor, free := d.o.MinFree, int64(s.Bavail)*s.Bsize //nolint:gosec // no file system has 2^63 blocks
		if floor < 0 {
			floor = min(20<<30, int64(s.Blocks)*s.Bsize/10) //nolint:gosec // see above
		}
		if free >= floor {
			return nil
		}
		return fault.New("libvirthv.room", fault.Exhausted, path, "the disk of %s has %d MiB free, of which %d MiB are to stay free; "+
			"make room there or use another node", dir, free>>20, floor>>20)
	}
}

// asWeMakeThem reports whether an image is a QCOW2 that conversion would not make any better.
func asWeMakeThem(i image.Info) bool {
	h := i.Header
	return h.Version == 3 && h.ClusterSize == qemuimg.ClusterSize && h.Incompatible == 0 && h.Snapshots == 0
}

// grantDomain lets QEMU open the files of dom's disks: writable ones are its own, all others it can only read.
func (d *Driver) grantDomain(dom hypervisor.Domain) error {
	for _, disk := range dom.Disks {
		writable := !disk.ReadOnly && !disk.CDROM
		if err := d.grant(disk.Path, writable); err != nil {
			return fault.Wrap("libvirthv.Define", dom.ID, err)
		}
		for _, base := range disk.Backing {
			if err := d.grant(base, false); err != nil {
				return fault.Wrap("libvirthv.Define", dom.ID, err)
			}
		}
	}
	return nil
}

// grant lets the user that QEMU runs as read path, or also write it. A file that is not there is left for Start to
// complain of.
func (d *Driver) grant(path string, writable bool) error {
	if !d.o.system() || os.Geteuid() != 0 {
		return nil
	}
	u, err := d.qemuUser()
	if err != nil {
		return err
	}
	uid, mode := 0, fs.FileMode(0o640)
	if writable {
		uid, mode = int(u.uid), 0o600
	}
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid && st.Gid == u.gid && fi.Mode().Perm() == mode {
			return nil
		}
		err = errors.Join(os.Chown(path, uid, int(u.gid)), os.Chmod(path, mode))
	}
	if err != nil {
		return fault.Because("libvirthv.grant", fault.Internal, path, err, "the file cannot be given to user %s, who runs QEMU", d.o.User)
	}
	return nil
}

// cacheMode returns the mode in which QEMU can open d's files: some file systems have no direct access.
func (d *Driver) cacheMode(disk hypervisor.DomainDisk) string {
	if d.o.CacheMode != "none" && d.o.CacheMode != "directsync" || d.o.mock() {
		return d.o.CacheMode
	}
	for _, path := range append([]string{disk.Path}, disk.Backing...) {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECT|syscall.O_CLOEXEC, 0)
		if err == nil {
			_ = syscall.Close(fd)
		} else if errors.Is(err, syscall.EINVAL) {
			return "writeback"
		}
	}
	return d.o.CacheMode
}

// host is what domains' XML depends on here.
func (d *Driver) host() host {
	return host{
		kind: d.kind, owner: d.own.us, relabel: !d.o.system(),
		firmware: installedFirmware, cache: d.cacheMode,
	}
}
