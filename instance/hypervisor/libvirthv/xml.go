package libvirthv

import (
	"encoding/xml"

	"libvirt.org/go/libvirtxml"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// metadataURI names the element of a domain's metadata that says whose it is.
const metadataURI = "https://shakenfist.com/xmlns/libvirt/owner/1"

// owner is that element.
type owner struct {
	XMLName xml.Name `xml:"https://shakenfist.com/xmlns/libvirt/owner/1 owner"`
	Cloud   string   `xml:"cloud,attr"`
	Node    string   `xml:"node,attr"`
}

// host is what a domain's XML depends on besides the domain.
type host struct {
	kind     string // "kvm", "qemu" or "test"
	owner    owner
	relabel  bool                                             // leave owners of files to libvirt
	firmware func(secure bool) (code, vars string, err error) // the UEFI firmware installed
	cache    func(d hypervisor.DomainDisk) string             // the cache mode that d's files allow
}

// domainXML returns dom as libvirt wants it. It fails with fault.Invalid if dom cannot be.
func domainXML(h host, dom hypervisor.Domain) (string, error) {
	const op = "libvirthv.Define"
	if err := check(dom); err != nil {
		return "", err
	}
	os, err := osXML(h, dom)
	if err != nil {
		return "", err
	}
	mark, err := xml.Marshal(h.owner)
	if err != nil {
		return "", fault.Because(op, fault.Internal, dom.ID, err, "the domain's metadata cannot be written")
	}
	disks, override := disksXML(h, dom)
	d := libvirtxml.Domain{
		Type:        h.kind,
		Name:        domainName(dom.ID),
		UUID:        dom.ID,
		Title:       dom.Name,
		Description: "Managed by Shaken Fist on node " + h.owner.Node + "; changes made here are overwritten.",
		Metadata:    &libvirtxml.DomainMetadata{XML: string(mark)},
		Memory:      &libvirtxml.DomainMemory{Value: uint(dom.MemoryMiB) << 10, Unit: "KiB"},
		VCPU:        &libvirtxml.DomainVCPU{Placement: "static", Value: uint(dom.VCPUs)},
		OS:          os,
		Features: &libvirtxml.DomainFeatureList{
			ACPI: &libvirtxml.DomainFeature{},
			APIC: &libvirtxml.DomainFeatureAPIC{},
		},
		CPU:          cpuXML(h.kind),
		Clock:        clockXML(),
		OnPoweroff:   "destroy",
		OnReboot:     "restart",
		OnCrash:      "restart",
		PM:           &libvirtxml.DomainPM{SuspendToMem: no(), SuspendToDisk: no()},
		Devices:      devicesXML(dom),
		QEMUOverride: override,
	}
	d.Devices.Disks = disks
	if dom.SecureBoot {
		d.Features.SMM = &libvirtxml.DomainFeatureSMM{State: "on", TSeg: &libvirtxml.DomainFeatureSMMTSeg{Unit: "MiB", Value: 48}}
	}
	text, err := d.Marshal()
	if err != nil {
		return "", fault.Because(op, fault.Internal, dom.ID, err, "the domain's definition cannot be written")
	}
	return text, nil
}

func domainName(id string) string { return "sf:" + id }

func no() *libvirtxml.DomainPMPolicy { return &libvirtxml.DomainPMPolicy{Enabled: "no"} }

// osXML says how the guest boots. UEFI needs its firmware on this host.
func osXML(h host, dom hypervisor.Domain) (*libvirtxml.DomainOS, error) {
	os := &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Arch: "x86_64", Machine: dom.Machine, Type: "hvm"}}
	if !dom.UEFI {
		return os, nil
	}
	code, vars, err := h.firmware(dom.SecureBoot)
	if err != nil {
		return nil, fault.Wrap("libvirthv.Define", dom.ID, err)
	}
	os.Loader = &libvirtxml.DomainLoader{Path: code, Readonly: "yes", Type: "pflash"}
	if dom.SecureBoot {
		os.Loader.Secure = "yes"
	}
	os.NVRam = &libvirtxml.DomainNVRam{NVRam: dom.NVRAM, Template: vars}
	return os, nil
}

// cpuXML gives the guest all that the accelerator can. The mock driver knows neither mode.
func cpuXML(kind string) *libvirtxml.DomainCPU {
	switch kind {
	case KVM:
		return &libvirtxml.DomainCPU{Mode: "host-passthrough", Migratable: "on"}
	case QEMU:
		return &libvirtxml.DomainCPU{Mode: "maximum"}
	}
	return nil
}

func clockXML() *libvirtxml.DomainClock {
	return &libvirtxml.DomainClock{Offset: "utc", Timer: []libvirtxml.DomainTimer{
		{Name: "rtc", TickPolicy: "catchup"},
		{Name: "pit", TickPolicy: "delay"},
		{Name: "hpet", Present: "no"},
	}}
}
