package libvirthv

import (
	"libvirt.org/go/libvirtxml"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// devicesXML returns dom's devices but its disks. There is no graphics: nothing listens on an address of the host.
func devicesXML(dom hypervisor.Domain) *libvirtxml.DomainDeviceList {
	port := uint(0)
	l := &libvirtxml.DomainDeviceList{
		Controllers: controllersXML(dom),
		Videos:      []libvirtxml.DomainVideo{{Model: videoXML(dom)}},
		MemBalloon:  &libvirtxml.DomainMemBalloon{Model: "virtio", FreePageReporting: "on"},
		RNGs: []libvirtxml.DomainRNG{{
			Model:   "virtio",
			Backend: &libvirtxml.DomainRNGBackend{Random: &libvirtxml.DomainRNGBackendRandom{Device: "/dev/urandom"}},
		}},
		Serials: []libvirtxml.DomainSerial{{
			Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}},
			Target: &libvirtxml.DomainSerialTarget{Type: "isa-serial", Port: &port},
		}},
	}
	if dom.ConsoleLog != "" {
		l.Serials[0].Log = &libvirtxml.DomainChardevLog{File: dom.ConsoleLog, Append: "on"}
	}
	for _, n := range dom.NICs {
		l.Interfaces = append(l.Interfaces, nicXML(n))
	}
	for _, c := range dom.Channels {
		l.Channels = append(l.Channels, libvirtxml.DomainChannel{
			Source: &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{Mode: "bind", Path: c.Path}},
			Target: &libvirtxml.DomainChannelTarget{VirtIO: &libvirtxml.DomainChannelTargetVirtIO{Name: c.Name}},
		})
	}
	return l
}

func nicXML(n hypervisor.NIC) libvirtxml.DomainInterface {
	x := libvirtxml.DomainInterface{
		MAC:    &libvirtxml.DomainInterfaceMAC{Address: n.MAC},
		Source: &libvirtxml.DomainInterfaceSource{Bridge: &libvirtxml.DomainInterfaceSourceBridge{Bridge: n.Bridge}},
		Model:  &libvirtxml.DomainInterfaceModel{Type: n.Model},
	}
	if n.MTU > 0 {
		x.MTU = &libvirtxml.DomainInterfaceMTU{Size: uint(n.MTU)}
	}
	return x
}

// videoXML returns the video card; only those of fixed memory are told how much.
func videoXML(dom hypervisor.Domain) libvirtxml.DomainVideoModel {
	m := libvirtxml.DomainVideoModel{Type: dom.Video}
	if m.Type == "" {
		m.Type = "vga"
	}
	if m.Type != "virtio" && dom.VideoKiB > 0 {
		m.VRam = uint(dom.VideoKiB)
	}
	return m
}

// controllersXML returns the controllers that libvirt would not choose by itself, or would choose badly.
func controllersXML(dom hypervisor.Domain) []libvirtxml.DomainController {
	var all []libvirtxml.DomainController
	add := func(kind, model string, index uint) {
		all = append(all, libvirtxml.DomainController{Type: kind, Model: model, Index: &index})
	}
	if dom.Machine == "q35" {
		add("pci", "pcie-root", 0)
		for i := range rootPorts(dom) {
			add("pci", "pcie-root-port", i+1)
		}
		add("usb", "qemu-xhci", 0)
	} else {
		add("usb", "ich9-ehci1", 0)
		for i, model := range []string{"ich9-uhci1", "ich9-uhci2", "ich9-uhci3"} {
			add("usb", model, 0)
			all[len(all)-1].USB = &libvirtxml.DomainControllerUSB{
				Master: &libvirtxml.DomainControllerUSBMaster{StartPort: uint(2 * i)},
			}
		}
	}
	for _, d := range dom.Disks {
		if d.Bus == "scsi" {
			add("scsi", "virtio-scsi", 0)
			break
		}
	}
	return all
}

// rootPorts is how many PCI Express devices dom has, and four more for what is plugged in later. Beyond what fits in one
// row libvirt adds its own.
func rootPorts(dom hypervisor.Domain) uint {
	n := len(dom.NICs) + 6 // USB, SCSI, virtio-serial, RNG, balloon, virtio video
	for _, d := range dom.Disks {
		if d.Bus == "virtio" || d.Bus == "nvme" {
			n++
		}
	}
	return uint(min(n+4, 28))
}
