//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"os"
	"path/filepath"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// A guest is a running domain as libvirt describes it.
type guest struct {
	id    string
	disks []libvirtxml.DomainDisk
	agent bool // the one that can freeze its file systems listens
}

// attached is a disk of a running guest.
type attached struct {
	path   string // of the disk, held or not
	target string // what libvirt calls it
	held   bool
	job    *libvirtxml.DomainDiskMirror // that merges the overlay; nil if none runs
}

// settled is live when all that was asked of libvirt before has been done, also by a process that is dead by now and for a
// guest that has just died: a snapshot that is still being taken would use a file that we see unused.
func (d *Driver) settled(ctx context.Context, turn *turn, op string, disks []hypervisor.DomainDisk) (*guest, error) {
	if len(disks) > 0 {
		err := d.within(ctx, turn, op, func(ld *libvirt.Domain) error {
			// Libvirt answers this when what changes the domain has ended. What it answers does not matter.
			_, err := ld.GetBlockInfo(disks[0].Path, 0)
			if isLost(err) || hasCode(err, libvirt.ERR_OPERATION_TIMEOUT) {
				return err
			}
			return nil
		})
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return nil, err
		}
	}
	return d.live(ctx, op, turn.id)
}

// live returns the domain id as it runs, nil if it is off or not defined.
func (d *Driver) live(ctx context.Context, op, id string) (*guest, error) {
	text, err := d.xmlOf(ctx, op, id, true)
	if err != nil || text == "" {
		return nil, err
	}
	return parseGuest(id, text)
}

func parseGuest(id, text string) (*guest, error) {
	const op = "libvirthv.live"
	var x libvirtxml.Domain
	if err := x.Unmarshal(text); err != nil {
		return nil, fault.Because(op, fault.Internal, id, err, "libvirt describes the domain in a way that cannot be read")
	}
	g := &guest{id: id}
	if x.Devices == nil {
		return g, nil
	}
	g.disks = x.Devices.Disks
	for _, c := range x.Devices.Channels {
		if c.Target != nil && c.Target.VirtIO != nil && c.Target.VirtIO.Name == hypervisor.GuestAgentChannel {
			g.agent = c.Target.VirtIO.State == "connected"
		}
	}
	return g, nil
}

// xmlOf returns the description of the domain id, as it runs or as it will start. It is "" if it does not run, or is
// not defined.
func (d *Driver) xmlOf(ctx context.Context, op, id string, running bool) (string, error) {
	found := make(chan string, 1)
	err := d.domain(ctx, op, id, func(ld *libvirt.Domain) error {
		text, err := ld.GetXMLDesc(xmlFlags(running))
		active, err1 := ld.IsActive()
		if err == nil {
			err = err1
		}
		if running && !active {
			text = ""
		}
		found <- text
		return err
	})
	if fault.KindOf(err) == fault.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return <-found, nil
}

func xmlFlags(running bool) libvirt.DomainXMLFlags {
	if running {
		return 0
	}
	return libvirt.DOMAIN_XML_INACTIVE | libvirt.DOMAIN_XML_SECURE
}

// attached returns those of disks that the guest may write to, and how many of them are held.
func (g *guest) attached(disks []hypervisor.DomainDisk) (all []attached, held int, err error) {
	const op = "libvirthv.Hold"
	for _, disk := range disks {
		if disk.ReadOnly || disk.CDROM {
			continue
		}
		if disk.Format != hypervisor.QCOW2 {
			return nil, 0, fault.New(op, fault.Invalid, g.id, "disk %s is %q; only qcow2 disks can be held", disk.Device, disk.Format)
		}
		a, ok := g.find(disk.Path)
		if !ok {
			return nil, 0, fault.New(op, fault.NotFound, g.id, "the running guest has no disk %s", disk.Path)
		}
		if a.held {
			held++
		}
		all = append(all, a)
	}
	return all, held, nil
}

// find returns the guest's disk path. Its target is the name that libvirt knows, which is not ours for NVMe.
func (g *guest) find(path string) (attached, bool) {
	for _, x := range g.disks {
		source := fileOf(x.Source)
		if x.Target == nil || source != path && source != path+hypervisor.HeldSuffix {
			continue
		}
		return attached{path: path, target: x.Target.Dev, held: source != path, job: x.Mirror}, true
	}
	return attached{}, false
}

func fileOf(s *libvirtxml.DomainDiskSource) string {
	if s == nil || s.File == nil {
		return ""
	}
	return s.File.File
}

// syncFolder makes what was done to the name path last.
func syncFolder(path string) error {
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only synced
	return f.Sync()
}
