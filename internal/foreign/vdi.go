package foreign

import (
	"encoding/binary"
	"io"
	"math"
)

const vdi kind = "VDI"

// What a VDI image has. All its numbers are little-endian; the layout is that of VirtualBox.
const (
	vdiHeader    = 512        // bytes, as far as it is understood here
	vdiVersion   = 0x00010001 // 1.1
	vdiBlock     = 1 << 20    // bytes; others are possible, but no reader knows them
	vdiDynamic   = 1
	vdiStatic    = 2
	vdiUndo      = 3
	vdiDiff      = 4
	vdiMissing   = 0xffffffff // no block was ever given to this part
	vdiDiscarded = 0xfffffffe // the guest has no use for it any more
)

// IsVDI reports whether the first bytes of a file are those of a VDI image.
func IsVDI(head []byte) bool {
	return len(head) >= 68 && binary.LittleEndian.Uint32(head[64:]) == 0xbeda107f
}

// VDI judges a VDI image of size bytes from somebody who is not trusted. It fails with fault.Invalid if it is not whole by
// itself, is larger than limit bytes to a guest, or if what its header claims cannot be, and with fault.Internal if r cannot
// be read.
func VDI(r io.ReaderAt, size, limit int64) (Image, error) {
	b, err := vdi.readAt(r, size, "header", 0, vdiHeader)
	if err != nil {
		return Image{}, err
	}
	if !IsVDI(b) {
		return Image{}, vdi.refused("does not begin as one: it is something else")
	}
	u32 := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(b[at:])) }
	h := vdiFields{
		version: u32(68), variant: u32(76), mapAt: u32(340), dataAt: u32(344), sector: u32(360),
		size: binary.LittleEndian.Uint64(b[368:]), block: u32(376), extra: u32(380), blocks: u32(384), used: u32(388),
		linked: !isZero(b[424:456]),
	}
	for _, check := range []func() error{h.checkKind, func() error { return h.checkSizes(limit) }, func() error { return h.checkPlaces(size) }} {
		if err := check(); err != nil {
			return Image{}, err
		}
	}
	if err := h.checkMap(r, size); err != nil {
		return Image{}, err
	}
	i := Image{Size: int64((h.size + sector - 1) / sector * sector), Block: vdiBlock, Variant: "dynamic"} //nolint:gosec // at most limit
	if h.variant == vdiStatic {
		i.Variant = "static"
	}
	return i, nil
}

// vdiFields are what is looked at of a header.
type vdiFields struct {
	version, variant, mapAt, dataAt, sector uint64
	size, block, extra, blocks, used        uint64
	linked                                  bool // it names a parent
}

func (h vdiFields) checkKind() error {
	const flatten = "merge it with VBoxManage clonemedium and use the result"
	switch {
	case h.version != vdiVersion:
		return vdi.refused("is of version %d.%d; 1.1 is known: convert it with VBoxManage clonemedium", h.version>>16, h.version&0xffff)
	case h.variant == vdiDiff || h.linked:
		return vdi.refused("has only what differs from another image: %s", flatten)
	case h.variant == vdiUndo:
		return vdi.refused("is an undo image of another one: %s", flatten)
	case h.variant != vdiDynamic && h.variant != vdiStatic:
		return vdi.refused("is of kind %d; 1 (dynamic) and 2 (static) are known: it is damaged", h.variant)
	}
	return nil
}

func (h vdiFields) checkSizes(limit int64) error {
	if err := vdi.checkSize(h.size, limit); err != nil {
		return err
	}
	needed := (h.size-1)/vdiBlock + 1
	switch {
	case h.sector != sector:
		return vdi.refused("has sectors of %d bytes, want %d: convert it with VBoxManage clonemedium", h.sector, sector)
	case h.block != vdiBlock || h.extra != 0:
		return vdi.refused("has blocks of %d+%d bytes, want %d: convert it with VBoxManage clonemedium", h.block, h.extra, vdiBlock)
	case h.blocks < needed || h.blocks > needed+1 || h.blocks > maxEntries:
		return vdi.refused("has %d blocks; its virtual size of %d bytes takes %d: it is damaged", h.blocks, h.size, needed)
	case h.used > h.blocks || h.variant == vdiStatic && h.used < needed:
		return vdi.refused("has %d of its %d blocks in use, which cannot be: it is damaged", h.used, h.blocks)
	}
	return nil
}

func (h vdiFields) checkPlaces(size int64) error {
	switch end := h.mapAt + h.blocks*4; {
	case h.mapAt < vdiHeader || h.mapAt%sector != 0 || h.dataAt%sector != 0 || h.dataAt < end:
		return vdi.refused("has its map of %d blocks at %d and its data at %d, which cannot be: it is damaged", h.blocks, h.mapAt, h.dataAt)
	case h.dataAt+h.used*vdiBlock > uint64(size): //nolint:gosec // not negative
		return vdi.refused("has %d blocks from %d on, but ends at %d: it is cut off; fetch it again", h.used, h.dataAt, size)
	}
	return nil
}

// checkMap looks at where each block lies.
func (h vdiFields) checkMap(r io.ReaderAt, size int64) error {
	var used []uint32
	for e, err := range vdi.entries(r, size, "block map", h.mapAt, h.blocks, binary.LittleEndian) {
		switch {
		case err != nil:
			return err
		case e == vdiMissing || e == vdiDiscarded:
		case uint64(e) >= h.used || e == math.MaxUint32:
			return vdi.refused("has a block %d in its map, and %d blocks in use: it is damaged", e, h.used)
		default:
			used = append(used, e)
		}
	}
	return vdi.checkApart(used, 1)
}
