package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

const opInspect = "blob.Inspect"

// MaxVirtualBytes is the largest virtual size that Limits allow unless told otherwise: the largest file of ext4.
const MaxVirtualBytes = qcow2.MaxSize

// Limits say what an image may claim of itself.
type Limits struct {
	VirtualBytes int64 // largest virtual size; 0 means MaxVirtualBytes
	Bytes        int64 // largest content, unpacked if it comes packed; 0 means MaxBytes
}

// Facts are what the header of an image says. Only Format decides anything later on.
type Facts struct {
	Format      hypervisor.Format `json:"format"`
	MIMEType    string            `json:"mime_type"`
	VirtualSize int64             `json:"virtual_size"`           // bytes the guest sees
	ClusterSize int64             `json:"cluster_size,omitempty"` // bytes; 0 if the format has no clusters
	Compat      string            `json:"compat,omitempty"`       // of a QCOW2: "0.10" or "1.1", as qemu-img calls them
	Compression string            `json:"compression,omitempty"`  // of a QCOW2's compressed clusters: "zlib" or "zstd"
	ExtendedL2  bool              `json:"extended_l2,omitempty"`  // a QCOW2 with subclusters
	Variant     string            `json:"variant,omitempty"`      // of a VMDK, VDI or VHD: such as "streamOptimized", "dynamic", "fixed"
}

// The parts of a file that are looked at, in bytes.
const (
	sectorBytes = 512
	isoAt       = 0x8000 // the first volume descriptor, ECMA-119
	isoSector   = 2048
	headBytes   = isoAt + isoSector
)

// Inspect decides the format of an image of size bytes by its header, without following anything the header names.
//
// A QCOW2, VMDK, VDI or VHD is taken if it is complete by itself and its tables can be true; an ISO 9660 volume if it is all
// there; and as a raw disk whatever is left once the formats of other hypervisors, archives, texts and web pages are ruled out, if it
// has whole sectors: raw disks have no header, and a file system without a partition table is one too.
//
// It fails with fault.Invalid, saying what was found and what to do, if the image cannot be used, and with
// fault.Internal if r cannot be read. The error never quotes the content: a URL may lead to what only this host can read.
func Inspect(r io.ReaderAt, size int64, limits Limits) (Facts, error) {
	if limits.VirtualBytes <= 0 {
		limits.VirtualBytes = MaxVirtualBytes
	}
	if size <= 0 {
		return Facts{}, refused("the file is empty, which is no disk image: check where it comes from")
	}
	head, err := readAt(r, 0, min(size, headBytes))
	if err != nil {
		return Facts{}, err
	}
	tail, err := readAt(r, max(0, size-sectorBytes), min(size, sectorBytes))
	if err != nil {
		return Facts{}, err
	}
	if begins(head, 0, qcow2.Magic) {
		return inspectQCOW2(r, size, limits)
	}
	if format, guard := foreignGuard(head, tail); guard != nil {
		return inspectForeign(r, size, limits, format, guard)
	}
	if err := refuseForeign(head, tail); err != nil {
		return Facts{}, err
	}
	if size > limits.VirtualBytes {
		return Facts{}, refused("the image is %d bytes large; at most %d are allowed", size, limits.VirtualBytes)
	}
	if begins(head, isoAt+1, "CD001") {
		return inspectISO(head, size)
	}
	if size%sectorBytes != 0 {
		return Facts{}, refused("the file is no known image format, and as a raw disk of %d bytes it lacks %d to whole "+
			"sectors of %d: it is cut off, or no disk image", size, sectorBytes-size%sectorBytes, sectorBytes)
	}
	return Facts{Format: hypervisor.Raw, MIMEType: "application/octet-stream", VirtualSize: size}, nil
}

// isoRunOut is what some programs count to a volume and leave out of its image: 150 sectors at the end of a track.
const isoRunOut = 150 * isoSector

// inspectISO looks at the first volume descriptor of an ISO 9660 volume (ECMA-119 8.4).
func inspectISO(head []byte, size int64) (Facts, error) {
	d := head[isoAt:]
	const primary = 1
	if len(d) == isoSector && d[0] == primary {
		volume := int64(binary.LittleEndian.Uint32(d[80:])) * int64(binary.LittleEndian.Uint16(d[128:]))
		if volume-isoRunOut > size {
			return Facts{}, refused("this is an ISO 9660 image of %d bytes that is cut off after %d: fetch it again",
				volume, size)
		}
	}
	return Facts{Format: hypervisor.ISO, MIMEType: "application/x-iso9660-image", VirtualSize: size}, nil
}

// refused is the error for an image that cannot be used.
func refused(format string, args ...any) error {
	return fault.New(opInspect, fault.Invalid, "", format, args...)
}

// begins reports whether magic stands at offset at of b.
func begins(b []byte, at int, magic string) bool {
	return len(b) >= at+len(magic) && string(b[at:at+len(magic)]) == magic
}

// readAt returns n bytes at an offset.
func readAt(r io.ReaderAt, at, n int64) ([]byte, error) {
	b := make([]byte, n)
	if got, err := r.ReadAt(b, at); int64(got) < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = fmt.Errorf("the file ends at %d", at+int64(got))
		}
		return nil, fault.Because(opInspect, fault.Internal, "", err, "cannot read %d bytes at %d of the image", n, at)
	}
	return b, nil
}
