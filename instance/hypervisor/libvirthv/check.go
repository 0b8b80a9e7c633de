package libvirthv

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// maxSocketPath is the longest path of a unix socket (sun_path in unix(7), without the final zero).
const maxSocketPath = 107

// check reports, as a fault.Invalid, why dom cannot be.
func check(dom hypervisor.Domain) error {
	bad := func(format string, args ...any) error {
		return fault.New("libvirthv.Define", fault.Invalid, dom.ID, format, args...)
	}
	if id, err := uuid.Parse(dom.ID); err != nil || id.String() != dom.ID {
		return bad("domain ID %q, want a UUID in lower case", dom.ID)
	}
	switch {
	case dom.VCPUs < 1:
		return bad("%d vCPUs asked for, want at least 1", dom.VCPUs)
	case dom.MemoryMiB < 1:
		return bad("%d MiB of memory asked for, want at least 1", dom.MemoryMiB)
	case dom.Machine != "pc" && dom.Machine != "q35":
		return bad("machine %q, want pc or q35", dom.Machine)
	case dom.UEFI && !filepath.IsAbs(dom.NVRAM):
		return bad("a UEFI guest needs an absolute path for its variables, not %q", dom.NVRAM)
	case dom.SecureBoot && (!dom.UEFI || dom.Machine != "q35"):
		return bad("secure boot needs UEFI and machine q35")
	case strings.ContainsAny(dom.Name, "\n\r"):
		return bad("the name %q has a line break", dom.Name)
	}
	for _, d := range dom.Disks {
		if err := checkDisk(dom, d); err != nil {
			return err
		}
	}
	for _, c := range dom.Channels {
		if !filepath.IsAbs(c.Path) || len(c.Path) > maxSocketPath {
			return bad("channel %s: socket path %q, want an absolute one of at most %d bytes", c.Name, c.Path, maxSocketPath)
		}
	}
	return nil
}

func checkDisk(dom hypervisor.Domain, d hypervisor.DomainDisk) error {
	bad := func(format string, args ...any) error {
		return fault.New("libvirthv.Define", fault.Invalid, dom.ID, "disk "+d.Device+": "+format, args...)
	}
	switch {
	case !slices.Contains([]string{"virtio", "sata", "scsi", "usb", "ide", "nvme"}, d.Bus):
		return bad("bus %q, want virtio, sata, scsi, usb, ide or nvme", d.Bus)
	case d.Bus == "ide" && dom.Machine != "pc":
		return bad("machine %s has no IDE; use bus sata or machine pc", dom.Machine)
	case d.CDROM && (d.Bus == "virtio" || d.Bus == "nvme"):
		return bad("bus %s has no CD-ROMs; use usb, scsi, sata or ide", d.Bus)
	case d.Format != hypervisor.Raw && d.Format != hypervisor.QCOW2 && d.Format != hypervisor.ISO:
		return bad("format %q, want raw, qcow2 or iso", d.Format)
	case d.Format == hypervisor.ISO && !d.CDROM && !d.ReadOnly:
		return bad("an ISO image is read-only")
	case len(d.Backing) > 0 && d.Format != hypervisor.QCOW2:
		return bad("only a qcow2 disk has backing files")
	}
	for _, path := range append([]string{d.Path}, d.Backing...) {
		if !filepath.IsAbs(path) {
			return bad("path %q, want an absolute one", path)
		}
	}
	return nil
}
