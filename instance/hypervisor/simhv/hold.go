package simhv

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/image"
	"github.com/shakenfist/shakenfist/internal/qcow2"
	"github.com/shakenfist/shakenfist/internal/step"
)

// Hold implements hypervisor.Driver.
func (d *Driver) Hold(ctx context.Context, id string, disks []hypervisor.DomainDisk) (string, error) {
	if err := d.ready(ctx, "Hold", id); err != nil {
		return "", err
	}
	dom, runs := d.guest(id)
	if dom == nil || !runs {
		return "", nil
	}
	dom.io.Lock()
	defer dom.io.Unlock()
	wanted, held, err := dom.wanted(disks)
	switch {
	case err != nil:
		return "", err
	case len(wanted) == 0:
		return "", nil
	case held == len(wanted):
		return dom.frozenBy, nil
	case held > 0:
		return "", fault.New("simhv.Hold", fault.Conflict, id, "%d of %d disks are held already: release them first", held, len(wanted))
	}
	for _, disk := range wanted {
		if err := step.Do(ctx, "make held file", disk.Path, func() error { return beginHeld(disk.Path) }); err != nil {
			return "", err
		}
	}
	err = step.Do(ctx, "hold disks", id, func() error {
		for _, disk := range wanted {
			dom.held[disk.Path] = true
		}
		dom.frozenBy = d.agentOf(dom.now)
		return nil
	})
	return dom.frozenBy, err
}

// guest returns the domain id, nil if it is not defined, and whether it runs.
func (d *Driver) guest(id string) (dom *domain, runs bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, ok := d.domains[id]
	return dom, ok && dom.runs()
}

// wanted returns those of disks that have to be held, and how many of them are. The caller holds dom.io.
func (dom *domain) wanted(disks []hypervisor.DomainDisk) (wanted []hypervisor.DomainDisk, held int, err error) {
	const op = "simhv.Hold"
	for _, disk := range disks {
		switch {
		case disk.ReadOnly || disk.CDROM:
			continue
		case disk.Format != hypervisor.QCOW2:
			return nil, 0, fault.New(op, fault.Invalid, dom.now.ID, "disk %s is %s; only QCOW2 disks can be held", disk.Device, disk.Format)
		case !slices.ContainsFunc(dom.now.Disks, func(x hypervisor.DomainDisk) bool { return x.Path == disk.Path }):
			return nil, 0, fault.New(op, fault.NotFound, dom.now.ID, "the running guest has no disk %s", disk.Path)
		case dom.held[disk.Path]:
			held++
		}
		wanted = append(wanted, disk)
	}
	return wanted, held, nil
}

// agentOf returns the agent that freezes dom's file systems, "" if there is none.
func (d *Driver) agentOf(dom hypervisor.Domain) string {
	listens := func(c hypervisor.Channel) bool { return c.Name == hypervisor.GuestAgentChannel }
	if d.o.GuestAgent && slices.ContainsFunc(dom.Channels, listens) {
		return hypervisor.GuestAgent
	}
	return ""
}

// beginHeld makes an empty held file over the disk path. One that is there was never used: the guest runs on the disk.
func beginHeld(path string) error {
	c, err := read(path)
	if err != nil {
		return err
	}
	size, err := image.Size(path)
	if err != nil {
		return err
	}
	held := path + hypervisor.HeldSuffix
	if err := remove(held); err != nil {
		return err
	}
	return write(held, append(qcow2.Blank(size, path), content{over: len(c.text)}.tail()...))
}

// Release implements hypervisor.Driver.
func (d *Driver) Release(ctx context.Context, id string, disks []hypervisor.DomainDisk) error {
	if err := d.ready(ctx, "Release", id); err != nil {
		return err
	}
	dom, runs := d.guest(id)
	if dom == nil {
		dom = &domain{}
	}
	dom.io.Lock()
	defer dom.io.Unlock()
	for _, disk := range disks {
		if disk.ReadOnly || disk.CDROM {
			continue
		}
		merged := func() { delete(dom.held, disk.Path) } // from here on the guest writes to the disk itself
		if err := merge(ctx, disk.Path, !runs || dom.held[disk.Path], merged); err != nil {
			return err
		}
	}
	return nil
}

// merge writes what the held file over the disk path has into the disk, and removes it. One that was not used is only
// removed. The disk is replaced in one step, so that a merge that is cut off can be made again.
func merge(ctx context.Context, path string, used bool, merged func()) error {
	held, err := read(path + hypervisor.HeldSuffix)
	if fault.KindOf(err) == fault.NotFound {
		merged()
		return nil
	}
	if err != nil {
		return err
	}
	if used && held.text != "" {
		if err := mergeText(ctx, path, held); err != nil {
			return fault.Wrap("simhv.Release", path, err)
		}
	}
	merged()
	return step.Do(ctx, "remove held file", path, func() error { return remove(path + hypervisor.HeldSuffix) })
}

// mergeText replaces the disk path by one with what was written to held, too.
func mergeText(ctx context.Context, path string, held content) error {
	disk, err := read(path)
	if err != nil {
		return err
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		return unreadable(path, err)
	}
	disk.text = disk.text[:min(held.over, len(disk.text))] + held.text
	partial := path + ".merged"
	if err := errors.Join(remove(partial), write(partial, append(whole[:disk.at], disk.tail()...))); err != nil {
		return err
	}
	return step.Do(ctx, "rename merged disk", path, func() error { return os.Rename(partial, path) })
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Because("simhv.remove", fault.Internal, path, err, "the file cannot be removed")
	}
	return nil
}
