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
	defer d.mu.Unlock()
	for id, dom := range d.domains {
		uses := func(x hypervisor.DomainDisk) bool { return x.Path == path && !x.ReadOnly && !x.CDROM }
		if dom.runs() && !dom.held[path] && slices.ContainsFunc(dom.now.Disks, uses) {
			return id
		}
	}
	return ""
}

// Write has the running guest id write a line of text to its disk of that device name. What is written is in snapshots of
// the disk, and in guests that boot from them. It fails with fault.NotFound if no such guest runs or has no such disk.
func (d *Driver) Write(id, device, text string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, disk, err := d.disk("simhv.Write", id, device)
	if err != nil {
		return err
	}
	if disk.ReadOnly || disk.CDROM {
		return fault.New("simhv.Write", fault.Invalid, id, "disk %s can only be read", device)
	}
	return dom.write(disk.Path, text)
}

// write appends a line to the disk path, or to the held file over it.
func (dom *domain) write(path, text string) error {
	if dom.held[path] {
		path += hypervisor.HeldSuffix
	}
	return appendText(path, text+"\n")
}

// Read returns all the lines that guests have written to what the running guest id sees as its disk of that device name,
// those written before the disk was copied included. It fails with fault.NotFound if no such guest runs or has no such
// disk.
func (d *Driver) Read(id, device string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, disk, err := d.disk("simhv.Read", id, device)
	if err != nil {
		return "", err
	}
	chain := append([]string{disk.Path}, disk.Backing...)
	if dom.held[disk.Path] {
		chain = append([]string{disk.Path + hypervisor.HeldSuffix}, chain...)
	}
	return Written(chain...)
}

// disk returns a disk of a running guest. The caller holds d.mu.
func (d *Driver) disk(op, id, device string) (*domain, hypervisor.DomainDisk, error) {
	dom, ok := d.domains[id]
	if !ok || !dom.runs() {
		return nil, hypervisor.DomainDisk{}, fault.New(op, fault.NotFound, id, "no guest %s runs on this host", id)
	}
	for _, disk := range dom.now.Disks {
		if disk.Device == device {
			return dom, disk, nil
		}
	}
	return nil, hypervisor.DomainDisk{}, fault.New(op, fault.NotFound, id, "the guest has no disk %s", device)
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
