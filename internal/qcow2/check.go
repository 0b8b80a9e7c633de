package qcow2

import (
	"fmt"

	"github.com/shakenfist/shakenfist/fault"
)

const op = "qcow2.Read"

// The incompatible features that are known, by bit.
const (
	dirty       = 1 << 0 // qemu repairs the counts of references
	corrupt     = 1 << 1
	dataFile    = 1 << 2
	compression = 1 << 3
	extendedL2  = 1 << 4
	known       = dirty | corrupt | dataFile | compression | extendedL2
)

func (h Header) checkVersion() error {
	switch {
	case h.Version == 1:
		return invalid("this is a QCOW image of version 1: convert it with qemu-img convert -f qcow -O qcow2 and use the result")
	case h.Version != 2 && h.Version != 3:
		return refused("is of version %d; versions 2 and 3 are known: convert it with qemu-img convert -O qcow2", h.Version)
	case h.length < headerV3 && h.Version == 3 || h.length%8 != 0:
		return refused("has a header of %d bytes, which cannot be: it is damaged", h.length)
	}
	return nil
}

const flatten = "flatten it with qemu-img convert -f qcow2 -O qcow2 where that file is"

// checkWhole refuses what lies over another image.
func (h Header) checkWhole() error {
	if h.BackingOffset != 0 || h.BackingBytes != 0 {
		return refused("needs a backing file (its name is %d bytes at %d): %s", h.BackingBytes, h.BackingOffset, flatten)
	}
	return nil
}

// checkFeatures refuses what needs another file than a backing file, a key, or a reader that knows more.
func (h Header) checkFeatures() error {
	switch unknown := h.Incompatible &^ known; {
	case h.Incompatible&dataFile != 0:
		return refused("keeps its data in an external file (incompatible feature bit 2): %s", flatten)
	case h.Encryption != 0:
		return refused("is encrypted (method %d): decrypt it with qemu-img convert first", h.Encryption)
	case h.Incompatible&corrupt != 0:
		return refused("is marked as corrupt (incompatible feature bit 1): repair it with qemu-img check -r all first")
	case unknown != 0:
		return refused("needs features that are not known (incompatible feature bits %#x): "+
			"convert it with an older qemu-img", unknown)
	case h.Compression > 1:
		return refused("is compressed by method %d; 0 (zlib) and 1 (zstd) are known", h.Compression)
	case (h.Compression != 0) != (h.Incompatible&compression != 0):
		return refused("contradicts itself about its compression (method %d, incompatible features %#x): it is damaged",
			h.Compression, h.Incompatible)
	}
	return nil
}

// checkSizes judges the virtual size, in bytes, and those of the parts.
func (h Header) checkSizes(size uint64, limit int64) error {
	switch {
	case h.clusterBits < 9 || h.clusterBits > 21:
		return refused("has clusters of 2^%d bytes; 2^9 to 2^21 are possible: it is damaged", h.clusterBits)
	case h.ExtendedL2() && h.clusterBits < 14:
		return refused("has extended L2 entries with clusters of 2^%d bytes; the least is 2^14: it is damaged", h.clusterBits)
	case uint64(h.length) > 1<<h.clusterBits:
		return refused("has a header of %d bytes in clusters of %d: it is damaged", h.length, 1<<h.clusterBits)
	case size == 0 || size > uint64(limit): //nolint:gosec // positive
		return refused("has a virtual size of %d bytes; 1 to %d are allowed", size, limit)
	case h.refOrder > 6:
		return refused("has reference counts of 2^%d bits; at most 2^6 are possible: it is damaged", h.refOrder)
	}
	return nil
}

// refused is the error for an image that cannot be used.
func refused(format string, args ...any) error {
	return invalid("this QCOW2 image %s", fmt.Sprintf(format, args...))
}

func invalid(format string, args ...any) error {
	return fault.New(op, fault.Invalid, "", format, args...)
}
