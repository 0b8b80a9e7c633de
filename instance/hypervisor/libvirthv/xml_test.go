package libvirthv

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenID = "6a1c4f0e-2b7d-4e8a-9c35-0d1e2f3a4b5c"

func goldenHost(kind string) host {
	return host{
		kind: kind, owner: owner{Cloud: "cloud & co", Node: "node1"},
		cache: func(d hypervisor.DomainDisk) string {
			if d.CDROM {
				return "writeback"
			}
			return "none"
		},
		firmware: func(secure bool) (string, string, error) {
			f := firmwares(secure)[0]
			return f[0], f[1], nil
		},
	}
}

func plainDomain() hypervisor.Domain {
	return hypervisor.Domain{
		ID: goldenID, Name: "web", VCPUs: 2, MemoryMiB: 1024, Machine: "pc",
		Disks: []hypervisor.DomainDisk{
			{
				Path: "/srv/i/vda.qcow2", Format: hypervisor.QCOW2, Device: "vda", Bus: "virtio",
				Backing: []string{"/srv/c/snapshot.qcow2", "/srv/c/base.qcow2"},
			},
			{Path: "/srv/i/config.iso", Format: hypervisor.ISO, Device: "vdb", Bus: "virtio", ReadOnly: true},
		},
		NICs:       []hypervisor.NIC{{MAC: "02:00:00:00:00:01", Bridge: "br-vxlan-000001", Model: "virtio", MTU: 1400}},
		ConsoleLog: "/srv/i/console.log", Video: "cirrus", VideoKiB: 16384,
	}
}

func goldenDomains() map[string]hypervisor.Domain {
	pc := plainDomain()
	secure := plainDomain()
	secure.Machine, secure.UEFI, secure.SecureBoot, secure.NVRAM = "q35", true, true, "/srv/i/nvram"
	secure.Video = "virtio"
	uefi := plainDomain()
	uefi.UEFI, uefi.NVRAM = true, "/srv/i/nvram"
	buses := plainDomain()
	buses.Disks = nil
	for bus, device := range map[string]string{"ide": "hda", "nvme": "nvme0", "scsi": "sdb", "sata": "sda", "usb": "sdc", "virtio": "vda"} {
		buses.Disks = append(buses.Disks, hypervisor.DomainDisk{
			Path: "/srv/i/" + device, Format: hypervisor.QCOW2, Device: device, Bus: bus,
		})
	}
	sortDisks(buses.Disks)
	buses.Disks = append(buses.Disks,
		hypervisor.DomainDisk{Path: "/srv/i/hdc.iso", Format: hypervisor.ISO, Device: "hdc", Bus: "ide", CDROM: true},
		hypervisor.DomainDisk{Path: "/srv/i/sdd.iso", Format: hypervisor.ISO, Device: "sdd", Bus: "usb", CDROM: true},
		hypervisor.DomainDisk{
			Path: "/srv/c/b2.qcow2", Format: hypervisor.QCOW2, Device: "sde", Bus: "usb", CDROM: true, ReadOnly: true,
			Backing: []string{"/srv/c/b1.qcow2"},
		})
	nics := plainDomain()
	nics.Machine, nics.Video = "q35", "vga"
	nics.NICs = append(nics.NICs,
		hypervisor.NIC{MAC: "02:00:00:00:00:02", Bridge: "br-vxlan-000002", Model: "e1000", MTU: 8950},
		hypervisor.NIC{MAC: "02:00:00:00:00:03", Bridge: "br-vxlan-000003", Model: "rtl8139"})
	nics.Channels = []hypervisor.Channel{
		{Name: "sf-agent", Path: "/srv/i/sc-sf-agent"}, {Name: "org.qemu.guest_agent.0", Path: "/srv/i/sc-ga"},
	}
	return map[string]hypervisor.Domain{
		"pc-bios": pc, "q35-secure-boot": secure, "pc-uefi": uefi, "pc-every-bus": buses, "q35-nics-channels": nics,
	}
}

func sortDisks(disks []hypervisor.DomainDisk) {
	for i := range disks {
		for j := i; j > 0 && disks[j].Path < disks[j-1].Path; j-- {
			disks[j], disks[j-1] = disks[j-1], disks[j]
		}
	}
}

func TestDomainsAreWrittenAsTheGoldenFilesSay(t *testing.T) {
	for name, dom := range goldenDomains() {
		kind := QEMU
		if strings.HasPrefix(name, "q35") {
			kind = KVM
		}
		got, err := domainXML(goldenHost(kind), dom)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		path := filepath.Join("testdata", "golden", name+".xml")
		if *update {
			if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got+"\n" != string(want) {
			t.Errorf("%s differs from %s; run go test -update and review the difference. Now:\n%s", name, path, got)
		}
	}
}

func TestImpossibleDomainsAreInvalid(t *testing.T) {
	for name, spoil := range map[string]func(*hypervisor.Domain){
		"upper-case ID":            func(d *hypervisor.Domain) { d.ID = strings.ToUpper(d.ID) },
		"unknown machine":          func(d *hypervisor.Domain) { d.Machine = "isapc" },
		"UEFI without variables":   func(d *hypervisor.Domain) { d.UEFI = true },
		"secure boot without UEFI": func(d *hypervisor.Domain) { d.SecureBoot, d.Machine = true, "q35" },
		"IDE on q35":               func(d *hypervisor.Domain) { d.Machine, d.Disks[0].Bus = "q35", "ide" },
		"virtio CD-ROM":            func(d *hypervisor.Domain) { d.Disks[0].CDROM = true },
		"unknown bus":              func(d *hypervisor.Domain) { d.Disks[0].Bus = "mfm" },
		"no format":                func(d *hypervisor.Domain) { d.Disks[0].Format = "" },
		"writable ISO":             func(d *hypervisor.Domain) { d.Disks[1].ReadOnly = false },
		"raw disk with a base":     func(d *hypervisor.Domain) { d.Disks[0].Format = hypervisor.Raw },
		"relative base":            func(d *hypervisor.Domain) { d.Disks[0].Backing[0] = "base" },
		"disk by protocol":         func(d *hypervisor.Domain) { d.Disks[0].Path = "nbd:evil:1" },
		"socket path that is long": func(d *hypervisor.Domain) { d.Channels = []hypervisor.Channel{{Path: "/" + strings.Repeat("x", 200)}} },
		"name with a line break":   func(d *hypervisor.Domain) { d.Name = "a\nb" },
	} {
		d := plainDomain()
		spoil(&d)
		if _, err := domainXML(goldenHost(QEMU), d); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: error is %v, want invalid", name, err)
		}
	}
}

func TestWhatTenantsNameIsEscaped(t *testing.T) {
	d := plainDomain()
	d.Name = `</title><devices><disk type="file"/></devices>`
	text, err := domainXML(goldenHost(QEMU), d)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, d.Name) || !strings.Contains(text, "&lt;/title&gt;") {
		t.Errorf("the name is not escaped:\n%s", text)
	}
}
