// Package qcow2 reads and judges the headers of QCOW2 images. It is the one place that knows them.
//
// It opens nothing but the reader it is given: a backing file that a header names is reported, never followed. The
// layout is that of docs/interop/qcow2.txt in QEMU's sources; all numbers in it are big-endian.
package qcow2

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/shakenfist/shakenfist/fault"
)

// MaxSize is the largest virtual size that is accepted unless told otherwise, in bytes: the largest file that ext4 holds.
const MaxSize = int64(16) << 40

// Magic is what every image begins with.
const Magic = "QFI\xfb"

const (
	headerV2 = 72  // bytes
	headerV3 = 104 // bytes, the least
	header   = 112 // bytes, as far as it is understood here
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
	Compression   byte   // method of compressed clusters: 0 is zlib, 1 zstd

	clusterBits, length, refOrder uint32 // length of the header in bytes; the header extensions follow
	l1Entries, refClusters        uint32
	l1At, refsAt, snapshotsAt     uint64
}

// ExtendedL2 reports whether the image has subclusters.
func (h Header) ExtendedL2() bool { return h.Incompatible&extendedL2 != 0 }

// Read reads the header of the image r, which may be one that lies over others. It fails with fault.Invalid if r is not
// a QCOW2 image of version 2 or 3, or if its sizes cannot be, and with fault.Internal if r cannot be read.
func Read(r io.ReaderAt) (Header, error) { return read(r, MaxSize) }

// Whole reads the header of an image of size bytes from somebody who is not trusted. It fails as Read does, and with
// fault.Invalid if the image names other files, is encrypted, or needs features whose meaning is not known, if its virtual
// size is more than limit bytes, or if what its header and tables claim does not fit within the file.
func Whole(r io.ReaderAt, size, limit int64) (Header, error) {
	h, err := alone(r, limit)
	if err == nil {
		err = h.checkTables(r, uint64(size)) //nolint:gosec // not negative
	}
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

func alone(r io.ReaderAt, limit int64) (Header, error) {
	h, err := read(r, limit)
	if err == nil {
		err = h.checkWhole()
	}
	if err == nil {
		err = h.checkFeatures()
	}
	if err == nil {
		_, err = h.checkExtensions(r)
	}
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

func read(r io.ReaderAt, limit int64) (Header, error) {
	b, err := readAt(r, 0, header)
	switch {
	case err != nil:
		return Header{}, err
	case len(b) < len(Magic) || string(b[:len(Magic)]) != Magic:
		return Header{}, invalid("this is not a QCOW2 image: it does not begin with its magic number")
	case len(b) < header:
		return Header{}, refused("is cut off within its header: fetch it again")
	}
	h := decode(b)
	if err := h.checkVersion(); err != nil {
		return Header{}, err
	}
	size := binary.BigEndian.Uint64(b[24:])
	if err := h.checkSizes(size, limit); err != nil {
		return Header{}, err
	}
	h.Size, h.ClusterSize = int64(size), 1<<h.clusterBits //nolint:gosec // at most limit
	return h, nil
}

// decode decodes a header, and believes nothing in it. Sizes are left out until they were checked.
func decode(b []byte) Header {
	u32, u64 := binary.BigEndian.Uint32, binary.BigEndian.Uint64
	h := Header{
		Version: int(u32(b[4:])), BackingOffset: u64(b[8:]), BackingBytes: u32(b[16:]), clusterBits: u32(b[20:]),
		Encryption: u32(b[32:]), l1Entries: u32(b[36:]), l1At: u64(b[40:]), refsAt: u64(b[48:]),
		refClusters: u32(b[56:]), Snapshots: u32(b[60:]), snapshotsAt: u64(b[64:]),
		length: headerV2, refOrder: 4,
	}
	if h.Version >= 3 {
		h.Incompatible, h.refOrder, h.length = u64(b[72:]), u32(b[96:]), u32(b[100:])
		if h.length > headerV3 {
			h.Compression = b[104]
		}
	}
	return h
}

// readAt returns n bytes at an offset, or fewer if r ends before.
func readAt(r io.ReaderAt, at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := r.ReadAt(b, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.Because(op, fault.Internal, "", err, "the image's header cannot be read")
	}
	return b[:got], nil
}
