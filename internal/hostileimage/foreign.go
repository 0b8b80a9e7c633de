package hostileimage

import (
	"fmt"
	"slices"
)

// Extents is the list of extents of an honest VMDK image.
const Extents = "RW 4096 SPARSE \"disk.vmdk\"\n"

// Descriptor returns the text of a VMDK descriptor.
func Descriptor(createType, lines string) string {
	return fmt.Sprintf("# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=%q\n\n# Extent description\n%s\n"+
		"# The Disk Data Base\n#DDB\nddb.adapterType = \"ide\"\n", createType, lines)
}

// VMDK returns a VMDK image of 2 MiB in one grain table, of which nothing is written.
func VMDK(puts ...Put) []byte {
	b := make([]byte, 64<<10)
	copy(b, "KDMV")
	return Change(b, append([]Put{
		LE32(4, 1), LE32(8, 1), LE64(12, 4096), LE64(20, 128), LE64(28, 1), LE64(36, 20), LE32(44, 512), LE64(56, 21), LE64(64, 128),
		Text(73, "\n \r\n"), Text(512, Descriptor("monolithicSparse", Extents)), LE32(21*512, 22),
	}, puts...)...)
}

// Stream returns a VMDK stream with its footer.
func Stream(puts ...Put) []byte {
	b := VMDK(LE32(4, 3), LE32(8, 0x30001), Put(func(b []byte) { b[77] = 1 }), LE64(56, ^uint64(0)),
		Text(512, Descriptor("streamOptimized", Extents)))
	end := len(b)
	b = append(b, make([]byte, 1536)...)
	copy(b[end+512:], b[:512])
	return Change(b, append([]Put{LE32(end+12, 3), LE64(end+512+56, 21)}, puts...)...)
}

// VDI returns a VDI image of 2 MiB, of which the second is written.
func VDI(puts ...Put) []byte {
	return Change(make([]byte, 4096+1<<20), append([]Put{
		Text(0, "<<< a disk >>>\n"), LE32(64, 0xbeda107f), LE32(68, 0x00010001), LE32(72, 400), LE32(76, 1), LE32(340, 512), LE32(344, 4096),
		LE32(360, 512), LE64(368, 2<<20), LE32(376, 1<<20), LE32(384, 2), LE32(388, 1), LE32(512, 0xffffffff), LE32(516, 0),
	}, puts...)...)
}

// Sum mends the checksum of what is in b from one offset to another; its own place is at skip.
func Sum(from, to, skip int) Put {
	return func(b []byte) {
		BE32(skip, 0)(b)
		var n uint32
		for _, c := range b[from:to] {
			n += uint32(c)
		}
		BE32(skip, ^n)(b)
	}
}

func footer(at int, variant uint32, next, size uint64) Put {
	return Both(Text(at, "conectix"), BE32(at+8, 2), BE32(at+12, 0x10000), BE64(at+16, next), BE64(at+40, size), BE64(at+48, size), BE32(at+60, variant))
}

// FixedVHD returns a VHD image of fixed size, 64 KiB.
func FixedVHD(puts ...Put) []byte {
	const at = 64 << 10
	b := Change(make([]byte, at+512), append([]Put{footer(at, 2, ^uint64(0), at)}, puts...)...)
	return Change(b, Sum(at, at+512, at+64))
}

// DynamicVHD returns a VHD image of 4 MiB in blocks of 2 MiB, of which the second is written. Changes are made to the head,
// of which the tail becomes a copy.
func DynamicVHD(puts ...Put) []byte {
	const end = 2560 + 512 + 2<<20
	b := Change(make([]byte, end), slices.Concat([]Put{
		footer(0, 3, 512, 4<<20), Text(512, "cxsparse"), BE64(520, ^uint64(0)), BE64(528, 2048), BE32(536, 0x10000), BE32(540, 2),
		BE32(544, 2<<20), BE32(2048, 0xffffffff), BE32(2052, 5),
	}, puts)...)
	Change(b, Sum(0, 512, 64), Sum(512, 1536, 548))
	return append(b, b[:512]...)
}
