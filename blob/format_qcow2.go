package blob

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

const qcowMagic = "QFI\xfb"

// Where things are in the header of a QCOW2; all numbers are big-endian (docs/interop/qcow2.txt of QEMU).
const (
	qcowHeaderV2 = 72  // bytes
	qcowHeaderV3 = 104 // bytes, the least
	qcowHeader   = 112 // bytes, as far as it is understood here
)

// The incompatible features that are known, by bit.
const (
	qcowDirty       = 1 << 0 // qemu repairs the counts of references
	qcowCorrupt     = 1 << 1
	qcowDataFile    = 1 << 2
	qcowCompression = 1 << 3
	qcowExtendedL2  = 1 << 4
	qcowKnown       = qcowDirty | qcowCorrupt | qcowDataFile | qcowCompression | qcowExtendedL2
)

// What qemu refuses beyond, too.
const (
	qcowMaxL1        = 32 << 20 // bytes
	qcowMaxRefTable  = 8 << 20  // bytes
	qcowMaxSnapshots = 65536
	qcowMinSnapshot  = 40 // bytes of the shortest entry
	qcowExtensions   = 64 // as many header extensions are read
)

// qcowHeaderFields is the header of a QCOW2, decoded and not yet believed.
type qcowHeaderFields struct {
	version, clusterBits, backingBytes, crypt     uint32
	l1Entries, refClusters, snapshots, refOrder   uint32
	backingAt, virtual, l1At, refTableAt, snapsAt uint64
	incompatible                                  uint64
	length                                        uint32 // bytes; the header extensions follow
	compression                                   byte
}

func decodeQCOW2(b []byte) qcowHeaderFields {
	u32, u64 := binary.BigEndian.Uint32, binary.BigEndian.Uint64
	h := qcowHeaderFields{
		version: u32(b[4:]), backingAt: u64(b[8:]), backingBytes: u32(b[16:]), clusterBits: u32(b[20:]),
		virtual: u64(b[24:]), crypt: u32(b[32:]), l1Entries: u32(b[36:]), l1At: u64(b[40:]), refTableAt: u64(b[48:]),
		refClusters: u32(b[56:]), snapshots: u32(b[60:]), snapsAt: u64(b[64:]),
		length: qcowHeaderV2, refOrder: 4,
	}
	if h.version >= 3 {
		h.incompatible, h.refOrder, h.length = u64(b[72:]), u32(b[96:]), u32(b[100:])
		if h.length > qcowHeaderV3 {
			h.compression = b[104]
		}
	}
	return h
}

// inspectQCOW2 takes a QCOW2 image if it is complete by itself and what its header claims fits within size bytes.
func inspectQCOW2(r io.ReaderAt, size int64, limits Limits) (Facts, error) {
	b, err := readAt(r, 0, min(size, qcowHeader))
	if err != nil {
		return Facts{}, err
	}
	if len(b) < qcowHeader {
		return Facts{}, refusedQCOW2("is cut off within its header: fetch it again")
	}
	h := decodeQCOW2(b)
	for _, check := range []func() error{
		h.checkVersion,
		h.checkAlone,
		func() error { return h.checkSizes(limits.VirtualBytes) },
		func() error { return h.checkTables(uint64(size)) }, //nolint:gosec // not negative
		func() error { return h.checkExtensions(r, size) },
	} {
		if err := check(); err != nil {
			return Facts{}, err
		}
	}
	f := Facts{
		Format: hypervisor.QCOW2, MIMEType: "application/octet-stream", VirtualSize: int64(h.virtual), //nolint:gosec // checked
		ClusterSize: 1 << h.clusterBits, Compat: "1.1", Compression: "zlib", ExtendedL2: h.incompatible&qcowExtendedL2 != 0,
	}
	if h.version == 2 {
		f.Compat = "0.10"
	}
	if h.compression == 1 {
		f.Compression = "zstd"
	}
	return f, nil
}

func (h qcowHeaderFields) checkVersion() error {
	switch {
	case h.version == 1:
		return refused("this is a QCOW image of version 1: %s", convertFirst("qcow"))
	case h.version != 2 && h.version != 3:
		return refusedQCOW2("is of version %d; versions 2 and 3 are known: convert it with qemu-img convert -O qcow2", h.version)
	case h.length < qcowHeaderV3 && h.version == 3 || h.length%8 != 0:
		return refusedQCOW2("has a header of %d bytes, which cannot be: it is damaged", h.length)
	}
	return nil
}

// checkAlone refuses what needs another file, a key, or a reader that knows more.
func (h qcowHeaderFields) checkAlone() error {
	const flatten = "flatten it with qemu-img convert -f qcow2 -O qcow2 where that file is"
	switch unknown := h.incompatible &^ qcowKnown; {
	case h.backingAt != 0 || h.backingBytes != 0:
		return refusedQCOW2("needs a backing file (its name is %d bytes at %d): %s", h.backingBytes, h.backingAt, flatten)
	case h.incompatible&qcowDataFile != 0:
		return refusedQCOW2("keeps its data in an external file (incompatible feature bit 2): %s", flatten)
	case h.crypt != 0:
		return refusedQCOW2("is encrypted (method %d): decrypt it with qemu-img convert first", h.crypt)
	case h.incompatible&qcowCorrupt != 0:
		return refusedQCOW2("is marked as corrupt (incompatible feature bit 1): repair it with qemu-img check -r all first")
	case unknown != 0:
		return refusedQCOW2("needs features that are not known (incompatible feature bits %#x): "+
			"convert it with an older qemu-img", unknown)
	case h.compression > 1:
		return refusedQCOW2("is compressed by method %d; 0 (zlib) and 1 (zstd) are known", h.compression)
	case (h.compression != 0) != (h.incompatible&qcowCompression != 0):
		return refusedQCOW2("contradicts itself about its compression (method %d, incompatible features %#x): it is damaged",
			h.compression, h.incompatible)
	}
	return nil
}

func (h qcowHeaderFields) checkSizes(limit int64) error {
	switch {
	case h.clusterBits < 9 || h.clusterBits > 21:
		return refusedQCOW2("has clusters of 2^%d bytes; 2^9 to 2^21 are possible: it is damaged", h.clusterBits)
	case h.incompatible&qcowExtendedL2 != 0 && h.clusterBits < 14:
		return refusedQCOW2("has extended L2 entries with clusters of 2^%d bytes; the least is 2^14: it is damaged", h.clusterBits)
	case uint64(h.length) > 1<<h.clusterBits:
		return refusedQCOW2("has a header of %d bytes in clusters of %d: it is damaged", h.length, 1<<h.clusterBits)
	case h.virtual == 0 || h.virtual > uint64(limit): //nolint:gosec // positive
		return refusedQCOW2("has a virtual size of %d bytes; 1 to %d are allowed", h.virtual, limit)
	case h.refOrder > 6:
		return refusedQCOW2("has reference counts of 2^%d bits; at most 2^6 are possible: it is damaged", h.refOrder)
	}
	return nil
}

func refusedQCOW2(format string, args ...any) error {
	return refused("this QCOW2 image %s", fmt.Sprintf(format, args...))
}
