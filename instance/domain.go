package instance

import (
	"context"
	"path/filepath"
	"strconv"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// layOut decides the guest's disks: the first is its root, the second the config drive, then the others.
func (m *Manager) layOut(ctx context.Context, row row, blobs []string) ([]diskStatus, error) {
	spec := row.Value.Spec
	var disks []diskStatus
	for i, d := range spec.Disks {
		bus := d.Bus
		if bus == "" {
			bus = m.DefaultBus
		}
		s := diskStatus{Disk: Disk{Bus: bus, SizeGiB: d.SizeGiB, Blob: blobs[i], CDROM: d.Type == "cdrom"}}
		if blobs[i] != "" {
			b, err := m.Blobs.Get(ctx, blobs[i])
			if err != nil {
				return nil, err
			}
			s.CDROM = s.CDROM || b.Facts.Format == hypervisor.ISO
		}
		if s.CDROM {
			s.NoSnapshot = true
			if s.Bus == "virtio" || s.Bus == "nvme" {
				s.Bus = "usb" // there is no such CD-ROM
			}
		}
		disks = append(disks, s)
		if i == 0 && spec.ConfigDrive == OpenStackDisk {
			disks = append(disks, diskStatus{Disk: Disk{Bus: m.DefaultBus, NoSnapshot: true}})
		}
	}
	for i := range disks {
		disks[i].Device = device(disks[i].Bus, i)
		disks[i].Path = filepath.Join(m.dir(row.ID), disks[i].Device)
	}
	return disks, nil
}

// device is the name of the i-th disk on its bus.
func device(bus string, i int) string {
	switch bus {
	case "virtio":
		return "vd" + letters(i)
	case "nvme":
		return "nvme" + strconv.Itoa(i)
	case "ide":
		return "hd" + letters(i)
	default:
		return "sd" + letters(i)
	}
}

// letters counts a to z, aa to az and on, as kernels do.
func letters(i int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	if i < len(alphabet) {
		return alphabet[i : i+1]
	}
	return letters(i/len(alphabet)-1) + letters(i%len(alphabet))
}

// domain is the definition of an instance's virtual machine.
func (m *Manager) domain(ctx context.Context, row row) (hypervisor.Domain, error) {
	spec := row.Value.Spec
	d := hypervisor.Domain{
		ID: row.ID, Name: spec.Name, VCPUs: spec.CPUs, MemoryMiB: spec.MemoryMiB, Machine: row.Value.Machine,
		UEFI: spec.UEFI, SecureBoot: spec.SecureBoot, ConsoleLog: m.consoleLog(row.ID),
		Video: spec.Video.Model, VideoKiB: spec.Video.MemoryKiB,
	}
	if spec.UEFI {
		d.NVRAM = m.nvram(row.ID)
	}
	s, _ := m.statuses.Get(row.ID)
	for _, disk := range s.Value.Disks {
		dd, err := m.domainDisk(disk)
		if err != nil {
			return d, err
		}
		d.Disks = append(d.Disks, dd)
	}
	mtu, err := m.Mesh(ctx)
	if err != nil {
		return d, err
	}
	for _, i := range m.Networks.InterfacesOf(ctx, row.ID) {
		n, err := m.Networks.Get(ctx, i.Network)
		if err != nil {
			return d, err
		}
		id := netdriver.ID{UUID: n.ID, VXLAN: n.VXLAN}
		d.NICs = append(d.NICs, hypervisor.NIC{MAC: i.MAC, Bridge: id.Bridge(), Model: i.Model, MTU: mtu})
	}
	for _, c := range spec.SideChannels {
		d.Channels = append(d.Channels, hypervisor.Channel{Name: c, Path: filepath.Join(m.dir(row.ID), "sc-"+c)})
	}
	return d, nil
}

func (m *Manager) domainDisk(disk diskStatus) (hypervisor.DomainDisk, error) {
	d := hypervisor.DomainDisk{Path: disk.Path, Format: hypervisor.QCOW2, Device: disk.Device, Bus: disk.Bus, CDROM: disk.CDROM}
	if disk.Blob == "" {
		if disk.NoSnapshot { // the config drive
			d.Format, d.ReadOnly = hypervisor.Raw, true
		}
		return d, nil
	}
	img, ok := m.Blobs.Image(disk.Blob)
	if !ok {
		return d, fault.New("instance.domainDisk", fault.NotFound, disk.Blob, "disk %s: the image beneath it, blob %s, is gone", disk.Device, disk.Blob)
	}
	if disk.CDROM {
		// Whatever is no ISO image has become a QCOW2, and what the guest shall see is the disk in that.
		d.Path, d.Format, d.ReadOnly = img.Path, img.Format, true
	} else {
		d.Backing = append(d.Backing, img.Path)
	}
	for _, beneath := range m.Blobs.Backing(disk.Blob) {
		d.Backing = append(d.Backing, beneath.Path)
	}
	return d, nil
}
