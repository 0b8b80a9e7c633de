package foreign

import (
	"bytes"
	"encoding/binary"
	"io"
)

const vmdk kind = "VMDK"

// What a sparse VMDK extent has. All its numbers are little-endian, and places and sizes are in sectors; the layout is that
// of VMware's "Virtual Disk Format 5.0".
const (
	vmdkHeader  = 512                // bytes
	vmdkDesc    = 1                  // where the descriptor is: the only place where all readers look
	vmdkDescMax = 2048               // sectors of it
	vmdkScan    = 20 * sector        // bytes from there on in which readers look for a parent's name, whatever the header says
	vmdkPerGT   = 512                // entries of a grain table
	vmdkAtEnd   = 0xffffffffffffffff // the grain directory is where a second header at the end says

	flagNewline    = 1 << 0
	flagRedundant  = 1 << 1
	flagZeroGrain  = 1 << 2
	flagCompressed = 1 << 16
	flagMarkers    = 1 << 17
	flagsKnown     = flagNewline | flagRedundant | flagZeroGrain | flagCompressed | flagMarkers

	minGrain = 8    // sectors
	maxGrain = 4096 // sectors
)

// IsVMDK reports whether the first bytes of a file are those of a sparse VMDK extent.
func IsVMDK(head []byte) bool { return len(head) >= 4 && string(head[:4]) == "KDMV" }

// VMDK judges a VMDK image of size bytes as VDI does a VDI image. It must be one sparse extent, plain or compressed to a
// stream, with a descriptor that knows of no other file. A header without a size would make readers follow the descriptor.
func VMDK(r io.ReaderAt, size, limit int64) (Image, error) {
	b, err := vmdk.readAt(r, size, "header", 0, vmdkHeader)
	if err != nil {
		return Image{}, err
	}
	h := readVMDK(b)
	if err := h.check(b, limit); err != nil {
		return Image{}, err
	}
	if err := checkDescriptor(r, size, h); err != nil {
		return Image{}, err
	}
	tables := h
	if h.directoryAt == vmdkAtEnd {
		if tables, err = readVMDKFooter(r, size, h); err != nil {
			return Image{}, err
		}
	}
	if err := tables.checkDirectories(r, size); err != nil {
		return Image{}, err
	}
	i := Image{Size: int64(h.capacity * sector), Block: int64(h.grain * sector), Variant: "monolithicSparse"} //nolint:gosec // at most limit
	if h.compressed() {
		i.Variant = "streamOptimized"
	}
	return i, nil
}

// vmdkFields are what a header says.
type vmdkFields struct {
	version, flags, perTable            uint32
	capacity, grain, descAt, descLength uint64
	redundantAt, directoryAt, overhead  uint64
	compression                         uint16
}

func readVMDK(b []byte) vmdkFields {
	u32, u64 := binary.LittleEndian.Uint32, binary.LittleEndian.Uint64
	return vmdkFields{
		version: u32(b[4:]), flags: u32(b[8:]), capacity: u64(b[12:]), grain: u64(b[20:]), descAt: u64(b[28:]),
		descLength: u64(b[36:]), perTable: u32(b[44:]), redundantAt: u64(b[48:]), directoryAt: u64(b[56:]),
		overhead: u64(b[64:]), compression: binary.LittleEndian.Uint16(b[77:]),
	}
}

func (h vmdkFields) compressed() bool { return h.compression != 0 }

func (h vmdkFields) check(b []byte, limit int64) error {
	switch {
	case !IsVMDK(b):
		return vmdk.refused("does not begin as one: it is something else")
	case h.version < 1 || h.version > 3:
		return vmdk.refused("is of version %d; 1 to 3 are known: it is damaged", h.version)
	case h.flags&^flagsKnown != 0 || h.compression > 1:
		return vmdk.refused("needs features that are not known (flags %#x, compression %d): it is damaged", h.flags, h.compression)
	case h.flags&flagNewline != 0 && string(b[73:77]) != "\n \r\n":
		return vmdk.refused("was changed by a transfer as text: fetch it again, as binary")
	case h.compressed() != (h.flags&flagCompressed != 0) || h.compressed() != (h.flags&flagMarkers != 0):
		return vmdk.refused("contradicts itself about its compression (flags %#x, compression %d): it is damaged", h.flags, h.compression)
	case h.capacity > uint64(limit)/sector: //nolint:gosec // positive
		return vmdk.refused("has a virtual size of %d sectors; at most %d are allowed", h.capacity, limit/sector)
	case h.capacity == 0:
		return vmdk.refused("has no virtual size: it would be looked for in other files")
	case h.grain < minGrain || h.grain > maxGrain || h.grain&(h.grain-1) != 0:
		return vmdk.refused("has grains of %d sectors; a power of two from %d to %d is possible: it is damaged", h.grain, minGrain, maxGrain)
	case h.perTable != vmdkPerGT:
		return vmdk.refused("has grain tables of %d entries, want %d: it is damaged", h.perTable, vmdkPerGT)
	case h.descAt == 0 && h.descLength == 0:
		return vmdk.refused("has no descriptor: it is one extent of several; %s", oneFile)
	case h.descAt != vmdkDesc || h.descLength == 0 || h.descLength > vmdkDescMax:
		return vmdk.refused("has a descriptor of %d sectors at %d, want 1 to %d at %d: it is damaged", h.descLength, h.descAt, vmdkDescMax, vmdkDesc)
	case h.directories() > maxEntries:
		return vmdk.refused("has a grain directory of %d entries; at most %d are possible", h.directories(), maxEntries)
	}
	return nil
}

// directories is how many entries the grain directory has.
func (h vmdkFields) directories() uint64 { return (h.capacity-1)/(h.grain*vmdkPerGT) + 1 }

// readVMDKFooter returns the header at the end of a stream, by which readers go in the end. It may differ from the first in
// where the directory is, and in nothing else that matters.
func readVMDKFooter(r io.ReaderAt, size int64, h vmdkFields) (vmdkFields, error) {
	const (
		footer   = 3 * sector // a marker, the header, and the marker of the end
		isFooter = 3
	)
	if size < footer || size%sector != 0 {
		return h, vmdk.refused("is %d bytes large, which are no whole sectors of %d: it is cut off; fetch it again", size, sector)
	}
	b, err := vmdk.readAt(r, size, "footer", uint64(size-footer), footer)
	if err != nil {
		return h, err
	}
	mark, head, end := b[:sector], b[sector:2*sector], b[2*sector:]
	f := readVMDK(head)
	if !IsVMDK(head) || !isZero(mark[8:12]) || binary.LittleEndian.Uint32(mark[12:]) != isFooter || !isZero(end[:16]) {
		return h, vmdk.refused("does not end with its footer: it is cut off; fetch it again")
	}
	if f.version != h.version || f.flags != h.flags || f.capacity != h.capacity || f.grain != h.grain ||
		f.perTable != h.perTable || f.compression != h.compression || f.directoryAt == vmdkAtEnd {
		return h, vmdk.refused("contradicts itself in its header and its footer: it is damaged")
	}
	return f, nil
}

// checkDirectories looks at where the grain tables are, in the directory and in its spare copy.
func (h vmdkFields) checkDirectories(r io.ReaderAt, size int64) error {
	if h.overhead > uint64(size)/sector { //nolint:gosec // not negative
		return vmdk.refused("has its data from sector %d on, but ends at %d: it is cut off; fetch it again", h.overhead, size)
	}
	if err := h.checkDirectory(r, size, "grain directory", h.directoryAt); err != nil {
		return err
	}
	if h.flags&flagRedundant == 0 {
		return nil
	}
	return h.checkDirectory(r, size, "spare grain directory", h.redundantAt)
}

func (h vmdkFields) checkDirectory(r io.ReaderAt, size int64, what string, at uint64) error {
	const table = vmdkPerGT * 4 / sector // sectors
	end := uint64(size) / sector         //nolint:gosec // not negative
	if at == 0 || at > end {
		return vmdk.refused("has its %s at sector %d, but ends at %d: it is cut off; fetch it again", what, at, size)
	}
	var used []uint32
	for e, err := range vmdk.entries(r, size, what, at*sector, h.directories(), binary.LittleEndian) {
		switch {
		case err != nil:
			return err
		case e == 0: // nothing was written there
		case uint64(e)+table > end:
			return vmdk.refused("has a grain table at sector %d, but ends at %d: it is cut off; fetch it again", e, size)
		default:
			used = append(used, e)
		}
	}
	return vmdk.checkApart(used, table)
}

// namesParent reports whether readers would find the name of another image in b, in whatever case.
func namesParent(b []byte) bool {
	return bytes.Contains(bytes.ToLower(b), []byte("parentfilenamehint"))
}
