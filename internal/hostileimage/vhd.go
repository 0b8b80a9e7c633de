package hostileimage

import "github.com/shakenfist/shakenfist/instance/hypervisor"

func vhdImages(canary string) []Image {
	var images []Image
	add := func(name, reason string, b []byte) {
		images = append(images, Image{Name: "VHD: " + name, Bytes: b, Format: hypervisor.VHD, Reason: "this VHD image " + reason})
	}
	const end = 64 << 10
	add("a difference", "has only what differs from another image", DynamicVHD(BE32(60, 4), Text(512+64, canary)))
	add("a parent's name", "names a parent", DynamicVHD(Text(512+64, canary)))
	add("a wrong checksum", "has a footer whose checksum is wrong", Change(FixedVHD(), BE64(end+48, 512)))
	add("more than its file", "has a fixed size of 1099511627776 bytes", FixedVHD(BE64(end+48, 1<<40)))
	add("16 EiB", "has a virtual size of 18446744073709551104 bytes", DynamicVHD(BE64(48, ^uint64(511))))
	add("a negative size", "has a virtual size of 9223372036854775808 bytes", FixedVHD(BE64(end+48, 1<<63)))
	add("a fixed disk that begins as a dynamic one", "is of fixed size by its last sector and not by its first", FixedVHD(Text(0, "conectix")))
	add("a header that wraps around", "has its dynamic header of 1024 bytes at", DynamicVHD(BE64(16, ^uint64(255))))
	add("a table that wraps around", "has its table of blocks of 8 bytes at", DynamicVHD(BE64(528, ^uint64(511))))
	add("absurdly many blocks", "has a table of 4294967295 blocks", DynamicVHD(BE32(540, ^uint32(0))))
	add("no blocks", "has blocks of 0 bytes", DynamicVHD(BE32(544, 0)))
	add("a block past the end", "has a block of 4097 sectors at sector 4294967294", DynamicVHD(BE32(2052, ^uint32(1))))
	add("one block for all", "uses the same place of its file for more than one block", DynamicVHD(BE32(2048, 5)))
	return images
}
