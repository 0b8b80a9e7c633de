package blob

import (
	"bytes"
	"io"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/foreign"
)

// guard judges an image of a foreign format.
type guard func(r io.ReaderAt, size, limit int64) (foreign.Image, error)

// foreignGuard returns what judges a file, by its first bytes and its last sector; nil if it is none of the foreign formats
// that are taken.
func foreignGuard(head, tail []byte) (hypervisor.Format, guard) {
	switch {
	case foreign.IsVMDK(head):
		return hypervisor.VMDK, foreign.VMDK
	case foreign.IsVDI(head):
		return hypervisor.VDI, foreign.VDI
	case foreign.IsVHD(head, tail):
		return hypervisor.VHD, foreign.VHD
	}
	return "", nil
}

func inspectForeign(r io.ReaderAt, size int64, limits Limits, format hypervisor.Format, judge guard) (Facts, error) {
	i, err := judge(r, size, limits.VirtualBytes)
	if err != nil {
		return Facts{}, fault.Wrap(opInspect, "", err)
	}
	return Facts{
		Format: format, MIMEType: "application/octet-stream", VirtualSize: i.Size, ClusterSize: i.Block, Variant: i.Variant,
	}, nil
}

// stranger is a kind of file that is no image for this cloud.
type stranger struct {
	name   string // with its article
	advice string
	at     int // offset of magic
	magic  string
}

// convertFirst is the advice for an image that qemu-img reads.
func convertFirst(format string) string {
	return "convert it with qemu-img convert -f " + format + " -O qcow2 and use the result"
}

// diskFormats are images of other kinds. None may pass as raw: a later look by anybody who guesses formats would take
// them for what they claim to be, other files that they name included.
func diskFormats() []stranger {
	return []stranger{
		{"a VMDK image of ESX", convertFirst("vmdk"), 0, "COWD"},
		{"a VMDK image of ESX (seSparse)", convertFirst("vmdk"), 0, "\xbe\xba\xfe\xca\x00\x00\x00\x00"},
		{"a VHDX image", convertFirst("vhdx"), 0, "vhdxfile"},
		{"a QED image", convertFirst("qed"), 0, "QED\x00"},
		{"a Parallels image", convertFirst("parallels"), 0, "WithoutFreeSpace"},
		{"a Parallels image", convertFirst("parallels"), 0, "WithouFreSpacExt"},
		{"a Bochs image", convertFirst("bochs"), 0, "Bochs Virtual HD Image"},
		{"a compressed loop image", convertFirst("cloop"), 0, "#!/bin/sh\n#V2.0 Format"},
		{"an encrypted disk (LUKS)", "decrypt it first and use what is inside", 0, "LUKS\xba\xbe"},
		{"an Android sparse image", "unpack it with simg2img first", 0, "\x3a\xff\x26\xed"},
		{"a Windows image (WIM)", "install it on a disk and use that", 0, "MSWIM\x00\x00\x00"},
		{"a Proxmox backup (VMA)", "unpack it with vma extract first", 0, "VMA\x00"},
	}
}

// otherFiles are what people hand in instead of an image.
func otherFiles() []stranger {
	const unpack = "unpack it and use the image inside"
	return []stranger{
		{"a gzip file", unpack, 0, "\x1f\x8b\x08"},
		{"an xz file", unpack, 0, "\xfd7zXZ\x00"},
		{"a bzip2 file", unpack, 4, "1AY&SY"},
		{"a Zstandard file", unpack, 0, "\x28\xb5\x2f\xfd"},
		{"an LZ4 file", unpack, 0, "\x04\x22\x4d\x18"},
		{"an lzip file", unpack, 0, "LZIP"},
		{"a zip archive", unpack, 0, "PK\x03\x04"},
		{"a 7z archive", unpack, 0, "7z\xbc\xaf\x27\x1c"},
		{"a RAR archive", unpack, 0, "Rar!\x1a\x07"},
		{"a tar archive", unpack, 257, "ustar"},
		{"a Debian package", "check the URL", 0, "!<arch>\n"},
		{"an RPM package", "check the URL", 0, "\xed\xab\xee\xdb"},
		{"a PDF document", "check the URL", 0, "%PDF-"},
		{"a PNG picture", "check the URL", 0, "\x89PNG\r\n\x1a\n"},
		{"a JPEG picture", "check the URL", 0, "\xff\xd8\xff"},
		{"a program (ELF)", "check the URL", 0, "\x7fELF"},
	}
}

// tailFormats are known by the beginning of their last sector.
func tailFormats() []stranger {
	return []stranger{
		{"an Apple disk image (DMG)", convertFirst("dmg"), 0, "koly"},
	}
}

// refuseForeign refuses a file that is known to be no image, by its first bytes and its last sector.
func refuseForeign(head, tail []byte) error {
	for _, look := range []struct {
		b     []byte
		kinds []stranger
	}{{head, diskFormats()}, {tail, tailFormats()}} {
		if err := refuseKinds(look.b, look.kinds); err != nil {
			return err
		}
	}
	if isVMDKDescriptor(head) {
		return refused("this is a VMDK descriptor, which only names other files: %s", convertFirst("vmdk"))
	}
	if err := refuseKinds(head, otherFiles()); err != nil {
		return err
	}
	if kind := textKind(head[:min(len(head), sectorBytes)]); kind != "" {
		return refused("this is %s, not a disk image: check the URL", kind)
	}
	return nil
}

func refuseKinds(b []byte, kinds []stranger) error {
	for _, k := range kinds {
		if begins(b, k.at, k.magic) {
			return refused("this is %s, not a QCOW2, VMDK, VDI, VHD, raw or ISO image: %s", k.name, k.advice)
		}
	}
	return nil
}

// isVMDKDescriptor reports whether qemu would guess a VMDK descriptor: comments and empty lines, then a version.
func isVMDKDescriptor(head []byte) bool {
	for line := range bytes.Lines(head) {
		switch trimmed := bytes.TrimLeft(line, " \t"); {
		case bytes.HasPrefix(line, []byte("#")) || len(bytes.TrimSpace(line)) == 0:
		default:
			return bytes.HasPrefix(trimmed, []byte("version="))
		}
	}
	return false
}

// textKind names the kind of text that the first sector is the beginning of; "" if it is none. No disk begins with a
// sector that has neither zeroes nor other control characters.
func textKind(sector []byte) string {
	if begins(sector, 0, "\xff\xfe") && begins(sector, 3, "\x00") || begins(sector, 0, "\xfe\xff\x00") {
		return "a text in UTF-16"
	}
	if bytes.ContainsFunc(sector, func(r rune) bool {
		return r < ' ' && !strings.ContainsRune("\t\n\f\r\x1b", r) || r == 0x7f
	}) {
		return ""
	}
	start := strings.ToLower(strings.TrimLeft(strings.TrimPrefix(string(sector), "\ufeff"), " \t\r\n"))
	for _, k := range []struct{ prefix, name string }{
		{"<!doctype html", "an HTML page"},
		{"<html", "an HTML page"},
		{"<head", "an HTML page"},
		{"<body", "an HTML page"},
		{"<!--", "an HTML page"},
		{"<?xml", "an XML document, perhaps an error of the server"},
		{"<", "an XML document, perhaps an error of the server"},
		{"{", "a JSON document, perhaps an error of the server"},
		{"[", "a JSON document, perhaps an error of the server"},
		{"#!", "a script"},
		{"", "a text"},
	} {
		if strings.HasPrefix(start, k.prefix) {
			return k.name
		}
	}
	return ""
}
