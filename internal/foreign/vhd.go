package foreign

import (
	"encoding/binary"
	"io"
)

const vhd kind = "VHD"

// What a VHD image has. All its numbers are big-endian; the layout is that of Microsoft's specification of 2006.
const (
	vhdFooter   = 512 // bytes; the last ones of a file, and of a dynamic image also the first ones
	vhdDynHead  = 1024
	vhdFixed    = 2
	vhdDynamic  = 3
	vhdDiff     = 4
	vhdVersion  = 0x00010000
	vhdMissing  = 0xffffffff                   // entry of a block that has no room yet
	vhdNoOffset = 0xffffffffffffffff           // nothing follows
	vhdLargest  = int64(0xff000000-1) * sector // bytes; no reader takes more
	vhdLeast    = 4096                         // bytes of a block
	vhdMost     = 256 << 20                    // bytes of a block
)

// IsVHD reports whether the first or the last 512 bytes of a file make it a VHD image.
func IsVHD(head, tail []byte) bool { return hasVHDMagic(head) || hasVHDMagic(tail) }

func hasVHDMagic(b []byte) bool { return len(b) >= 8 && string(b[:8]) == "conectix" }

// VHD judges a VHD image of size bytes as VDI does a VDI image.
func VHD(r io.ReaderAt, size, limit int64) (Image, error) {
	limit = min(limit, vhdLargest)
	if size < vhdFooter || size%sector != 0 {
		return Image{}, vhd.refused("is %d bytes large, which are no whole sectors of %d: it is cut off; fetch it again", size, sector)
	}
	tail, err := vhd.readAt(r, size, "footer", uint64(size-vhdFooter), vhdFooter)
	if err != nil {
		return Image{}, err
	}
	if !hasVHDMagic(tail) {
		return Image{}, vhd.refused("does not end with its footer: it is cut off; fetch it again")
	}
	head, err := vhd.readAt(r, size, "copy of the footer", 0, vhdFooter)
	if err != nil {
		return Image{}, err
	}
	f, err := readFooter(tail, limit)
	if err != nil {
		return Image{}, err
	}
	if f.variant == vhdFixed {
		return f.fixed(head, size)
	}
	return f.dynamic(r, head, size, limit)
}

// vhdFields are what is looked at of a footer.
type vhdFields struct {
	variant    uint32
	next, size uint64
}

func readFooter(b []byte, limit int64) (vhdFields, error) {
	be := binary.BigEndian
	f := vhdFields{variant: be.Uint32(b[60:]), next: be.Uint64(b[16:]), size: be.Uint64(b[48:])}
	switch {
	case checksum(b, 64) != be.Uint32(b[64:]):
		return f, vhd.refused("has a footer whose checksum is wrong: it is damaged; fetch it again")
	case be.Uint32(b[12:]) != vhdVersion:
		return f, vhd.refused("is of version %#x; %#x is known: it is damaged", be.Uint32(b[12:]), vhdVersion)
	case f.variant == vhdDiff:
		return f, vhd.refused("has only what differs from another image: merge it with its parent first")
	case f.variant != vhdFixed && f.variant != vhdDynamic:
		return f, vhd.refused("is of kind %d; 2 (fixed) and 3 (dynamic) are known: it is damaged", f.variant)
	case f.size%sector != 0:
		return f, vhd.refused("has a virtual size of %d bytes, which are no whole sectors of %d: it is damaged", f.size, sector)
	}
	return f, vhd.checkSize(f.size, limit)
}

// fixed judges an image that is a raw disk with a footer. One that begins with another footer would be read as that.
func (f vhdFields) fixed(head []byte, size int64) (Image, error) {
	switch {
	case hasVHDMagic(head):
		return Image{}, vhd.refused("is of fixed size by its last sector and not by its first: it is damaged")
	case f.size > uint64(size-vhdFooter): //nolint:gosec // checked before
		return Image{}, vhd.refused("has a fixed size of %d bytes and a footer, but ends at %d: it is cut off; fetch it again", f.size, size)
	}
	return Image{Size: int64(f.size), Variant: "fixed"}, nil //nolint:gosec // at most limit
}

// dynamic judges an image whose blocks are found by a table.
func (f vhdFields) dynamic(r io.ReaderAt, head []byte, size, limit int64) (Image, error) {
	if !hasVHDMagic(head) {
		return Image{}, vhd.refused("is dynamic by its last sector and not by its first: it is damaged")
	}
	first, err := readFooter(head, limit)
	if err != nil {
		return Image{}, err
	}
	if first != f {
		return Image{}, vhd.refused("contradicts itself in its first and last sector: it is damaged")
	}
	b, err := vhd.readAt(r, size, "dynamic header", f.next, vhdDynHead)
	if err != nil {
		return Image{}, err
	}
	be := binary.BigEndian
	entries, block, tableAt := be.Uint32(b[28:]), uint64(be.Uint32(b[32:])), be.Uint64(b[16:])
	switch {
	case string(b[:8]) != "cxsparse" || checksum(b, 36) != be.Uint32(b[36:]):
		return Image{}, vhd.refused("has no dynamic header at %d, or one whose checksum is wrong: it is damaged; fetch it again", f.next)
	case be.Uint32(b[24:]) != vhdVersion || be.Uint64(b[8:]) != vhdNoOffset:
		return Image{}, vhd.refused("has a dynamic header of a version that is not known: it is damaged")
	case !isZero(b[40:60]) || !isZero(b[64:768]):
		return Image{}, vhd.refused("names a parent: merge it with that first")
	case block < vhdLeast || block > vhdMost || block&(block-1) != 0:
		return Image{}, vhd.refused("has blocks of %d bytes; a power of two from %d to %d is possible: it is damaged", block, vhdLeast, vhdMost)
	}
	needed := (f.size-1)/block + 1
	if uint64(entries) < needed || uint64(entries) > min(maxEntries, uint64(vhdLargest)/block) {
		return Image{}, vhd.refused("has a table of %d blocks of %d bytes; its virtual size of %d takes %d: it is damaged", entries, block, f.size, needed)
	}
	if tableAt%sector != 0 || tableAt < vhdFooter {
		return Image{}, vhd.refused("has its table of blocks at %d, which cannot be: it is damaged", tableAt)
	}
	if err := checkBlocks(r, size, tableAt, uint64(entries), block); err != nil {
		return Image{}, err
	}
	return Image{Size: int64(f.size), Block: int64(block), Variant: "dynamic"}, nil //nolint:gosec // at most limit
}

// checkBlocks looks at where each block lies: a bitmap of its sectors, in whole sectors, and then its data.
func checkBlocks(r io.ReaderAt, size int64, tableAt, entries, block uint64) error {
	sectors := block / sector
	length := (sectors/8+sector-1)/sector + sectors
	end := uint64(size-vhdFooter) / sector //nolint:gosec // checked before
	var used []uint32
	for e, err := range vhd.entries(r, size, "table of blocks", tableAt, entries, binary.BigEndian) {
		switch {
		case err != nil:
			return err
		case e == vhdMissing:
		case e == 0 || uint64(e)+length > end:
			return vhd.refused("has a block of %d sectors at sector %d, but ends after %d: it is cut off; fetch it again", length, e, end)
		default:
			used = append(used, e)
		}
	}
	return vhd.checkApart(used, length)
}

// checksum is that of a header or footer whose own checksum stands at skip.
func checksum(b []byte, skip int) uint32 {
	var sum uint32
	for i, c := range b {
		if i < skip || i >= skip+4 {
			sum += uint32(c)
		}
	}
	return ^sum
}
