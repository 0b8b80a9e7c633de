// Package qcow2 reads and judges the headers of QCOW2 images.
//
// It opens nothing but the reader it is given: a backing file that a header names is reported, never followed. The
// layout is that of docs/interop/qcow2.txt in QEMU's sources; all numbers in it are big-endian.
package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/shakenfist/shakenfist/fault"
)

// MaxSize is the largest virtual size that is accepted, in bytes: the largest file that ext4 holds.
const MaxSize = 16 << 40

// HeaderBytes is as much of an image as Read looks at.
const HeaderBytes = 104

const magic = 0x514649fb // "QFI\xfb"

// The bits of the incompatible features that change what a reader must do.
const (
	dirty        = 1 << 0 // reference counts may be stale; QEMU repairs them
	corrupt      = 1 << 1
	dataFile     = 1 << 2 // the data are in another file
	compression  = 1 << 3 // not deflate
	extendedL2   = 1 << 4
	harmlessBits = dirty | compression | extendedL2
)

// Header is what the beginning of an image says.
type Header struct {
	Version       int    // 2 or 3
	Size          int64  // virtual size in bytes
	ClusterSize   int64  // bytes
	BackingOffset uint64 // where the backing file's name is, 0 if there is none
	BackingBytes  uint32 // length of that name
	Encryption    uint32 // method, 0 for none
	Snapshots     uint32 // snapshots within the image
	Incompatible  uint64 // feature bits that a reader must know; 0 in version 2
}

// Read reads the header of the image r. It fails with fault.Invalid if r is not a QCOW2 image of version 2 or 3, or if
// its size or cluster size cannot be.
func Read(r io.ReaderAt) (Header, error) {
	const op = "qcow2.Read"
	b := make([]byte, HeaderBytes)
	n, err := r.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Header{}, fault.Because(op, fault.Internal, "", err, "the image's header cannot be read")
	}
	be := binary.BigEndian
	if n < 72 || be.Uint32(b) != magic {
		return Header{}, fault.New(op, fault.Invalid, "", "not a QCOW2 image: it does not begin with its magic number")
	}
	h := Header{
		Version:       int(be.Uint32(b[4:])),
		BackingOffset: be.Uint64(b[8:]),
		BackingBytes:  be.Uint32(b[16:]),
		Encryption:    be.Uint32(b[32:]),
		Snapshots:     be.Uint32(b[60:]),
	}
	switch {
	case h.Version == 3 && n == HeaderBytes:
		h.Incompatible = be.Uint64(b[72:])
	case h.Version != 2:
		return Header{}, fault.New(op, fault.Invalid, "", "QCOW2 version %d, want 2 or 3, with a whole header", h.Version)
	}
	bits, size := be.Uint32(b[20:]), be.Uint64(b[24:])
	if bits < 9 || bits > 21 {
		return Header{}, fault.New(op, fault.Invalid, "", "QCOW2 clusters of 2^%d bytes, want 2^9 to 2^21", bits)
	}
	if size == 0 || size > MaxSize {
		return Header{}, fault.New(op, fault.Invalid, "", "virtual size %d bytes, want 1 to %d", size, int64(MaxSize))
	}
	h.ClusterSize, h.Size = 1<<bits, int64(size)
	return h, nil
}

// Standalone reports, as a fault.Invalid, why the image may not be taken from somebody who is not trusted: it names
// other files, is encrypted, or needs features whose meaning is not known. It is nil for an image that is complete by
// itself.
func (h Header) Standalone() error {
	const op = "qcow2.Standalone"
	var why string
	switch unknown := h.Incompatible &^ harmlessBits; {
	case h.BackingOffset != 0 || h.BackingBytes != 0:
		why = "it has a backing file; flatten it with qemu-img convert first"
	case h.Incompatible&dataFile != 0:
		why = "its data are in an external file; convert it to a plain QCOW2 image first"
	case h.Incompatible&corrupt != 0:
		why = "it is marked as corrupt; repair it with qemu-img check -r all first"
	case unknown != 0:
		why = fmt.Sprintf("it needs unknown features (bits %#x)", unknown)
	case h.Encryption != 0:
		why = "it is encrypted; decrypt it first"
	default:
		return nil
	}
	return fault.New(op, fault.Invalid, "", "this QCOW2 image cannot be used: %s", why)
}
