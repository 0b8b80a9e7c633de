//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"cmp"
	"context"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/qemuimg"
	"github.com/shakenfist/shakenfist/internal/step"
)

// Release implements hypervisor.Driver.
func (d *Driver) Release(ctx context.Context, id string, disks []hypervisor.DomainDisk) error {
	const op = "libvirthv.Release"
	turn, err := d.holding.take(ctx, op, id)
	if err != nil {
		return err
	}
	defer turn.leave()
	guest, err := d.settled(ctx, turn, op, disks)
	if err != nil {
		return err
	}
	if guest == nil {
		return d.releaseOff(ctx, id, disks)
	}
	thawed := d.within(ctx, turn, op, func(ld *libvirt.Domain) error { return thaw(ld, guest.agent) })
	var held []attached
	for _, disk := range disks {
		a, ok := guest.find(disk.Path)
		switch {
		case disk.ReadOnly || disk.CDROM:
		case ok && a.held:
			held = append(held, a)
		case ok: // made and never used, or merged
			err = removeOverlay(ctx, disk.Path+hypervisor.HeldSuffix)
		default:
			err = mergeOverlay(ctx, disk)
		}
		if err != nil {
			return err
		}
	}
	if err := d.mergeLive(ctx, turn, held); err != nil {
		return err
	}
	return cmp.Or(d.within(ctx, turn, op, d.endHold), thawed)
}

// endHold resumes a guest, and forgets that its disks were held.
func (d *Driver) endHold(ld *libvirt.Domain) error {
	if err := d.resume(ld); err != nil {
		return err
	}
	return changeMark(ld, func(m *heldMark) { m.FrozenBy = "" })
}

// releaseOff is Release for a domain that is off, or not defined.
func (d *Driver) releaseOff(ctx context.Context, id string, disks []hypervisor.DomainDisk) error {
	for _, disk := range disks {
		if disk.ReadOnly || disk.CDROM {
			continue
		}
		if err := mergeOverlay(ctx, disk); err != nil {
			return err
		}
	}
	return d.defineReleased(ctx, id, disks)
}

// mergeOverlay writes what the overlay of a disk that no guest uses has into the disk, and removes it.
func mergeOverlay(ctx context.Context, disk hypervisor.DomainDisk) error {
	held := disk.Path + hypervisor.HeldSuffix
	if !there(held) {
		return nil
	}
	if err := qemuimg.Commit(ctx, held, disk.Path, disk.Backing...); err != nil {
		return fault.Wrap("libvirthv.Release", disk.Path, err)
	}
	return removeOverlay(ctx, held)
}

// defineReleased has the definition of a domain that is off name its disks where libvirt has put their overlays. What lies
// beneath a disk is written out anew: libvirt does not always keep it.
func (d *Driver) defineReleased(ctx context.Context, id string, disks []hypervisor.DomainDisk) error {
	const op = "libvirthv.Release"
	text, err := d.xmlOf(ctx, op, id, false)
	if err != nil || !strings.Contains(text, hypervisor.HeldSuffix) {
		return err
	}
	var x libvirtxml.Domain
	if err := x.Unmarshal(text); err != nil {
		return fault.Because(op, fault.Internal, id, err, "libvirt describes the domain in a way that cannot be read")
	}
	changed := false
	for _, disk := range disks {
		for i := range x.Devices.Disks {
			if fileOf(x.Devices.Disks[i].Source) == disk.Path+hypervisor.HeldSuffix {
				plain := diskXML(d.host(), disk)
				x.Devices.Disks[i].Source, x.Devices.Disks[i].BackingStore, changed = plain.Source, plain.BackingStore, true
			}
		}
	}
	if !changed {
		return nil
	}
	if text, err = x.Marshal(); err != nil {
		return fault.Because(op, fault.Internal, id, err, "the domain's definition cannot be written")
	}
	return step.Do(ctx, "libvirt define", id, func() error {
		return d.call(ctx, op, id, func(c *libvirt.Connect) error {
			ld, err := c.DomainDefineXML(text)
			if err != nil {
				return err
			}
			return ld.Free()
		})
	})
}

// checkNotHeld reports, as a fault.Conflict, that a domain that is off would start without what its guest wrote last.
func checkNotHeld(ld *libvirt.Domain, id string) error {
	const op = "libvirthv.Start"
	text, err := ld.GetXMLDesc(xmlFlags(false))
	if err != nil {
		return err
	}
	var x libvirtxml.Domain
	if err := x.Unmarshal(text); err != nil {
		return fault.Because(op, fault.Internal, id, err, "libvirt describes the domain in a way that cannot be read")
	}
	if x.Devices == nil {
		return nil
	}
	for _, disk := range x.Devices.Disks {
		path := fileOf(disk.Source)
		if isHeld(path) || path != "" && disk.ReadOnly == nil && there(path+hypervisor.HeldSuffix) {
			return fault.New(op, fault.Conflict, id, "disk %s is held: what the guest wrote last must be merged first", disk.Target.Dev)
		}
	}
	return nil
}

func isHeld(path string) bool { return strings.HasSuffix(path, hypervisor.HeldSuffix) }
