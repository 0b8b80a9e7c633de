//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/image"
	"github.com/shakenfist/shakenfist/internal/qemuimg"
	"github.com/shakenfist/shakenfist/internal/step"
)

// A held disk has an overlay that the guest writes to, at the disk's path with hypervisor.HeldSuffix. What holds at every
// moment, and what everything that follows after a death relies on:
//
// An overlay that is there is as new as its disk or newer. It is made empty; the guest writes to it and not to the disk;
// and when it is merged the guest stands still from before it goes back to its disk until the overlay is removed. So an
// overlay of a guest that is off can be merged, any number of times, without looking at how it came to be there.
//
// Which disks a running guest uses only libvirt knows.

// Hold implements hypervisor.Driver.
func (d *Driver) Hold(ctx context.Context, id string, disks []hypervisor.DomainDisk) (string, error) {
	const op = "libvirthv.Hold"
	turn, err := d.holding.take(ctx, op, id)
	if err != nil {
		return "", err
	}
	defer turn.leave()
	guest, err := d.settled(ctx, turn, op, disks)
	if err != nil || guest == nil {
		return "", err
	}
	wanted, held, err := guest.attached(disks)
	switch {
	case err != nil:
		return "", err
	case len(wanted) == 0:
		return "", nil
	case held == len(wanted):
		return d.frozenBy(ctx, id)
	case held > 0:
		return "", fault.New(op, fault.Conflict, id, "%d of %d disks are held already: release them first", held, len(wanted))
	}
	for _, a := range wanted {
		if err := d.makeOverlay(ctx, a.path); err != nil {
			return "", err
		}
	}
	return d.takeOverlays(ctx, turn, guest, wanted)
}

// takeOverlays has the guest write to the overlays from now on.
func (d *Driver) takeOverlays(ctx context.Context, turn *turn, guest *guest, wanted []attached) (frozenBy string, err error) {
	const op = "libvirthv.Hold"
	text, err := overlaysXML(d.host(), guest, wanted)
	if err != nil {
		return "", err
	}
	if guest.agent {
		err = d.freezeAndTake(ctx, turn, text, wanted)
		if err == nil {
			return hypervisor.GuestAgent, nil
		}
		if fault.KindOf(err) == fault.Unavailable && ctx.Err() != nil {
			return "", err
		}
		d.o.Logger.WarnContext(ctx, "a guest's file systems were not frozen", slog.String("domain", guest.id), slog.Any("error", err))
	}
	err = step.Do(ctx, "libvirt snapshot", guest.id, func() error {
		return d.within(ctx, turn, op, func(ld *libvirt.Domain) error { return takeSnapshot(ld, text, 0) })
	})
	return "", err
}

// freezeAndTake is takeOverlays while an agent has the guest's file systems frozen. Libvirt lets it thaw them in every
// case but its own death; for that the domain is marked meanwhile.
func (d *Driver) freezeAndTake(ctx context.Context, turn *turn, text string, wanted []attached) error {
	const op = "libvirthv.Hold"
	return step.Do(ctx, "libvirt snapshot", turn.id, func() error {
		return d.within(ctx, turn, op, func(ld *libvirt.Domain) error {
			if err := ld.AgentSetResponseTimeout(agentAnswers, 0); err != nil {
				return err
			}
			if err := changeMark(ld, func(m *heldMark) { m.Freezing = time.Now().Unix() }); err != nil {
				return err
			}
			failed := takeSnapshot(ld, text, libvirt.DOMAIN_SNAPSHOT_CREATE_QUIESCE)
			if failed == nil {
				return changeMark(ld, func(m *heldMark) { m.Freezing, m.FrozenBy = 0, hypervisor.GuestAgent })
			}
			// Libvirt calls it a failure too if all went well but that the agent did not answer when it was to thaw the guest.
			taken, err := hasOverlays(ld, wanted)
			if err == nil && taken {
				failed = changeMark(ld, func(m *heldMark) { m.FrozenBy = hypervisor.GuestAgent })
			}
			if err := thaw(ld, true); err != nil {
				d.o.Logger.WarnContext(ctx, "a guest may be frozen until its disks are released", slog.String("domain", turn.id), slog.Any("error", err))
			}
			return errors.Join(failed, err)
		})
	})
}

// hasOverlays reports whether the guest writes to the overlays of all these disks.
func hasOverlays(ld *libvirt.Domain, disks []attached) (bool, error) {
	text, err := ld.GetXMLDesc(xmlFlags(true))
	if err != nil {
		return false, err
	}
	g, err := parseGuest("", text)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(disks, func(disk attached) bool {
		now, ok := g.find(disk.path)
		return !ok || !now.held
	}), nil
}

func takeSnapshot(ld *libvirt.Domain, text string, flags libvirt.DomainSnapshotCreateFlags) error {
	flags |= libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA |
		libvirt.DOMAIN_SNAPSHOT_CREATE_ATOMIC | libvirt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
	s, err := ld.CreateSnapshotXML(text, flags)
	if err != nil {
		return err
	}
	return s.Free()
}

// overlaysXML is what libvirt calls a snapshot: all wanted disks of a guest get their overlays in the same moment.
func overlaysXML(h host, guest *guest, wanted []attached) (string, error) {
	x := libvirtxml.DomainSnapshot{Disks: &libvirtxml.DomainSnapshotDisks{}}
	for _, disk := range guest.disks {
		one := libvirtxml.DomainSnapshotDisk{Name: disk.Target.Dev, Snapshot: "no"}
		for _, a := range wanted {
			if a.target == disk.Target.Dev {
				one.Snapshot = "external"
				one.Driver = &libvirtxml.DomainDiskDriver{Type: driverType(hypervisor.QCOW2)}
				one.Source = sourceXML(h, a.path+hypervisor.HeldSuffix)
			}
		}
		x.Disks.Disks = append(x.Disks.Disks, one)
	}
	text, err := x.Marshal()
	if err != nil {
		return "", fault.Because("libvirthv.Hold", fault.Internal, guest.id, err, "the overlays cannot be described")
	}
	return text, nil
}

// makeOverlay makes an empty overlay over the disk path. The guest does not use the one that is there, if any.
func (d *Driver) makeOverlay(ctx context.Context, path string) error {
	size, err := image.Size(path)
	if err != nil {
		return err
	}
	held := path + hypervisor.HeldSuffix
	if err := removeOverlay(ctx, held); err != nil {
		return err
	}
	return d.files.Make(ctx, held, func(partial string) error {
		if err := qemuimg.CreateOverlay(ctx, partial, size, path); err != nil {
			return err
		}
		return d.grant(partial, true)
	})
}

// removeOverlay removes an overlay that has nothing which its disk has not. It is gone for good when this returns.
func removeOverlay(ctx context.Context, held string) error {
	return step.Do(ctx, "remove held file", held, func() error {
		err := os.Remove(held)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = syncFolder(held)
		}
		if err != nil {
			return fault.Because("libvirthv.removeOverlay", fault.Internal, held, err, "the held file cannot be removed")
		}
		return nil
	})
}
