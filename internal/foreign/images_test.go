package foreign_test

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// put changes an image.
type put func(b []byte)

func le32(at int, v uint32) put { return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) } }
func le64(at int, v uint64) put { return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) } }
func be32(at int, v uint32) put { return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) } }
func be64(at int, v uint64) put { return func(b []byte) { binary.BigEndian.PutUint64(b[at:], v) } }

func text(at int, s string) put { return func(b []byte) { copy(b[at:], s) } }

func all(puts ...put) put {
	return func(b []byte) {
		for _, p := range puts {
			p(b)
		}
	}
}

func changed(b []byte, puts ...put) []byte {
	for _, p := range puts {
		p(b)
	}
	return b
}

const extents = "RW 4096 SPARSE \"disk.vmdk\"\n"

// descriptor returns the text of a VMDK descriptor.
func descriptor(createType, lines string) string {
	return fmt.Sprintf("# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=%q\n\n# Extent description\n%s\n"+
		"# The Disk Data Base\n#DDB\nddb.adapterType = \"ide\"\n", createType, lines)
}

// vmdk returns a VMDK image of 2 MiB in one grain table, of which nothing is written.
func vmdk(puts ...put) []byte {
	b := make([]byte, 64<<10)
	copy(b, "KDMV")
	return changed(b, append([]put{
		le32(4, 1), le32(8, 1), le64(12, 4096), le64(20, 128), le64(28, 1), le64(36, 20), le32(44, 512), le64(56, 21), le64(64, 128),
		text(73, "\n \r\n"), text(512, descriptor("monolithicSparse", extents)), le32(21*512, 22),
	}, puts...)...)
}

// stream returns a VMDK stream with its footer.
func stream(puts ...put) []byte {
	b := vmdk(le32(4, 3), le32(8, 0x30001), put(func(b []byte) { b[77] = 1 }), le64(56, ^uint64(0)),
		text(512, descriptor("streamOptimized", extents)))
	end := len(b)
	b = append(b, make([]byte, 1536)...)
	copy(b[end+512:], b[:512])
	return changed(b, append([]put{le32(end+12, 3), le64(end+512+56, 21)}, puts...)...)
}

// vdi returns a VDI image of 2 MiB, of which the second is written.
func vdi(puts ...put) []byte {
	return changed(make([]byte, 4096+1<<20), append([]put{
		text(0, "<<< a disk >>>\n"), le32(64, 0xbeda107f), le32(68, 0x00010001), le32(72, 400), le32(76, 1), le32(340, 512), le32(344, 4096),
		le32(360, 512), le64(368, 2<<20), le32(376, 1<<20), le32(384, 2), le32(388, 1), le32(512, 0xffffffff), le32(516, 0),
	}, puts...)...)
}

// sum mends the checksum of what is in b from one offset to another; its own place is at skip.
func sum(from, to, skip int) put {
	return func(b []byte) {
		be32(skip, 0)(b)
		var n uint32
		for _, c := range b[from:to] {
			n += uint32(c)
		}
		be32(skip, ^n)(b)
	}
}

func footer(at int, variant uint32, next, size uint64) put {
	return all(text(at, "conectix"), be32(at+8, 2), be32(at+12, 0x10000), be64(at+16, next), be64(at+40, size), be64(at+48, size), be32(at+60, variant))
}

// fixedVHD returns a VHD image of fixed size, 64 KiB.
func fixedVHD(puts ...put) []byte {
	const at = 64 << 10
	b := changed(make([]byte, at+512), append([]put{footer(at, 2, ^uint64(0), at)}, puts...)...)
	return changed(b, sum(at, at+512, at+64))
}

// dynamicVHD returns a VHD image of 4 MiB in blocks of 2 MiB, of which the second is written. Changes are made to the head,
// of which the tail becomes a copy.
func dynamicVHD(puts ...put) []byte {
	const end = 2560 + 512 + 2<<20
	b := changed(make([]byte, end), slices.Concat([]put{
		footer(0, 3, 512, 4<<20), text(512, "cxsparse"), be64(520, ^uint64(0)), be64(528, 2048), be32(536, 0x10000), be32(540, 2),
		be32(544, 2<<20), be32(2048, 0xffffffff), be32(2052, 5),
	}, puts)...)
	changed(b, sum(0, 512, 64), sum(512, 1536, 548))
	return append(b, b[:512]...)
}
