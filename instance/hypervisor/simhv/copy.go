package simhv

import (
	"context"
	"fmt"
	"slices"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/image"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

// CopyDisk implements hypervisor.Driver.
func (d *Driver) CopyDisk(ctx context.Context, c hypervisor.DiskCopy) error {
	const op = "simhv.CopyDisk"
	if err := d.ready(ctx, "CopyDisk", c.Dst); err != nil {
		return err
	}
	if err := image.CheckCopy(c); err != nil {
		return err
	}
	return d.files.Make(ctx, c.Dst, func(partial string) error {
		if user := d.writer(c.Src); user != "" {
			return fault.New(op, fault.Unavailable, c.Src, "the disk is in use by guest %s, which does not hold it", user)
		}
		if c.Room != nil {
			if err := c.Room(); err != nil {
				return fault.Because(op, fault.Exhausted, c.Dst, err, "the disk has no room for the copy")
			}
		}
		size, err := image.Size(c.Src)
		if err != nil {
			return err
		}
		beneath := c.Backing
		if c.Base != "" {
			beneath = nil
		}
		text, err := Written(append([]string{c.Src}, beneath...)...)
		if err != nil {
			return err
		}
		return write(partial, append(qcow2.Empty(size, c.Base), content{text: text}.tail()...))
	})
}

// writer returns the running guest that writes to the disk path, "" if none does.
func (d *Driver) writer(path string) string {
	d.mu.Lock()
	running := map[string]*domain{}
	for id, dom := range d.domains {
		if dom.runs() {
			running[id] = dom
		}
	}
	d.mu.Unlock()
	uses := func(x hypervisor.DomainDisk) bool { return x.Path == path && !x.ReadOnly && !x.CDROM }
	for id, dom := range running {
		dom.io.Lock()
		writes := !dom.held[path] && slices.ContainsFunc(dom.now.Disks, uses)
		dom.io.Unlock()
		if writes {
			return id
		}
	}
	return ""
}

// Write has the running guest id write a line of text to its disk of that device name. What is written is in snapshots of
// the disk, and in guests that boot from them. It fails with fault.NotFound if no such guest runs or has no such disk.
func (d *Driver) Write(id, device, text string) error {
	return d.disk("simhv.Write", id, device, func(dom *domain, disk hypervisor.DomainDisk) error {
		if disk.ReadOnly || disk.CDROM {
			return fault.New("simhv.Write", fault.Invalid, id, "disk %s can only be read", device)
		}
		return dom.write(disk.Path, text)
	})
}

// write appends a line to the disk path, or to the held file over it. The caller holds dom.io.
func (dom *domain) write(path, text string) error {
	if dom.held[path] {
		path += hypervisor.HeldSuffix
	}
	return appendText(path, text+"\n")
}

// Read returns all the lines that guests have written to what the running guest id sees as its disk of that device name,
// those written before the disk was copied included. It fails with fault.NotFound if no such guest runs or has no such
// disk.
func (d *Driver) Read(id, device string) (text string, err error) {
	err = d.disk("simhv.Read", id, device, func(dom *domain, disk hypervisor.DomainDisk) (err error) {
		chain := append([]string{disk.Path}, disk.Backing...)
		if dom.held[disk.Path] {
			chain = append([]string{disk.Path + hypervisor.HeldSuffix}, chain...)
		}
		text, err = Written(chain...)
		return err
	})
	return text, err
}

// disk runs f on a disk of a running guest while nobody else changes it.
func (d *Driver) disk(op, id, device string, f func(*domain, hypervisor.DomainDisk) error) error {
	dom, runs := d.guest(id)
	if !runs {
		return fault.New(op, fault.NotFound, id, "no guest %s runs on this host", id)
	}
	dom.io.Lock()
	defer dom.io.Unlock()
	for _, disk := range dom.now.Disks {
		if disk.Device == device {
			return f(dom, disk)
		}
	}
	return fault.New(op, fault.NotFound, id, "the guest has no disk %s", device)
}

// boot has a guest that starts for the n-th time leave a trace on its first disk, as real ones do.
func (dom *domain) boot(n int) error {
	for _, disk := range dom.now.Disks {
		if !disk.ReadOnly && !disk.CDROM && disk.Format == hypervisor.QCOW2 {
			return dom.write(disk.Path, fmt.Sprintf("boot %d of %s", n, dom.now.ID))
		}
	}
	return nil
}
