package libvirthv

import (
	"fmt"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// disksXML returns dom's disks, and what QEMU must be told beyond what libvirt knows of them.
func disksXML(h host, dom hypervisor.Domain) ([]libvirtxml.DomainDisk, *libvirtxml.DomainQEMUOverride) {
	var disks []libvirtxml.DomainDisk
	var override *libvirtxml.DomainQEMUOverride
	order := bootOrder(dom.Disks)
	for i, d := range dom.Disks {
		x := diskXML(h, d)
		x.Boot = &libvirtxml.DomainDeviceBoot{Order: order[i]}
		if d.Bus == "nvme" {
			if override == nil {
				override = &libvirtxml.DomainQEMUOverride{}
			}
			override.Devices = append(override.Devices, nvme(&x, i))
		}
		disks = append(disks, x)
	}
	return disks, override
}

// bootOrder has hard disks tried in their order, then CD-ROMs; numbers begin at 1.
func bootOrder(disks []hypervisor.DomainDisk) []uint {
	order, next := make([]uint, len(disks)), uint(1)
	for _, cdrom := range []bool{false, true} {
		for i, d := range disks {
			if d.CDROM == cdrom {
				order[i] = next
				next++
			}
		}
	}
	return order
}

func diskXML(h host, d hypervisor.DomainDisk) libvirtxml.DomainDisk {
	x := libvirtxml.DomainDisk{
		Device: "disk",
		Driver: &libvirtxml.DomainDiskDriver{Name: "qemu", Type: driverType(d.Format), Cache: h.cache(d)},
		Source: sourceXML(h, d.Path),
		Target: &libvirtxml.DomainDiskTarget{Dev: d.Device, Bus: d.Bus},
	}
	if asCDROM(d) {
		x.Device = "cdrom"
	} else {
		x.Driver.Discard = "unmap"
	}
	if d.ReadOnly || asCDROM(d) {
		x.ReadOnly = &libvirtxml.DomainDiskReadOnly{}
		x.Driver.Discard = ""
	}
	// An empty element ends the chain; without it libvirt would look into the file for another backing file.
	x.BackingStore = &libvirtxml.DomainDiskBackingStore{}
	for _, v := range slices.Backward(d.Backing) {
		x.BackingStore = &libvirtxml.DomainDiskBackingStore{
			Format:       &libvirtxml.DomainDiskFormat{Type: driverType(hypervisor.QCOW2)},
			Source:       sourceXML(h, v),
			BackingStore: x.BackingStore,
		}
	}
	return x
}

// asCDROM reports whether the guest sees d as a CD-ROM: IDE and SATA have no read-only hard disks.
func asCDROM(d hypervisor.DomainDisk) bool {
	return d.CDROM || d.ReadOnly && (d.Bus == "ide" || d.Bus == "sata")
}

func sourceXML(h host, path string) *libvirtxml.DomainDiskSource {
	f := &libvirtxml.DomainDiskSourceFile{File: path}
	if !h.relabel {
		f.SecLabel = []libvirtxml.DomainDeviceSecLabel{{Model: "dac", Relabel: "no"}}
	}
	return &libvirtxml.DomainDiskSource{File: f}
}

func driverType(f hypervisor.Format) string {
	if f == hypervisor.ISO {
		return string(hypervisor.Raw)
	}
	return string(f)
}

// nvme turns the disk x, the i-th, into an NVMe controller with one namespace. This libvirt has no such bus, so it is
// told of a virtio disk, which QEMU is then told to attach otherwise. Like this libvirt opens, labels, confines and
// counts the disk as it does any other; a device on QEMU's command line would be unknown to it.
func nvme(x *libvirtxml.DomainDisk, i int) libvirtxml.DomainQEMUOverrideDevice {
	alias := fmt.Sprintf("ua-nvme%d", i)
	x.Alias = &libvirtxml.DomainAlias{Name: alias}
	x.Serial = fmt.Sprintf("nvme-%d", i)
	// The name must be one of a virtio disk. Two letters keep out of the way of real ones, of which there are at most 32.
	x.Target = &libvirtxml.DomainDiskTarget{Dev: fmt.Sprintf("vdz%c", 'a'+rune(i%26)), Bus: "virtio"}
	return libvirtxml.DomainQEMUOverrideDevice{
		Alias: alias,
		Frontend: libvirtxml.DomainQEMUOverrideFrontend{Properties: []libvirtxml.DomainQEMUOverrideProperty{
			{Name: "driver", Type: "string", Value: "nvme"},
			{Name: "write-cache", Type: "remove"},
		}},
	}
}
