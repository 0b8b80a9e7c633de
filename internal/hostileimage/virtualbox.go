package hostileimage

import "github.com/shakenfist/shakenfist/instance/hypervisor"

func vdiImages() []Image {
	const one = "this VDI image "
	var images []Image
	for _, i := range []struct {
		name, reason string
		put          Put
	}{
		{"a parent", "has only what differs from another image", LE32(440, 1)},
		{"a difference", "has only what differs from another image", LE32(76, 4)},
		{"16 EiB", "has a virtual size of 18446744073709551615 bytes", LE64(368, ^uint64(0))},
		{"a negative size", "has a virtual size of 9223372036854775808 bytes", LE64(368, 1<<63)},
		{"absurdly many blocks", "has 4294967295 blocks", LE32(384, ^uint32(0))},
		{"absurd blocks", "has blocks of 2147483648+0 bytes", LE32(376, 1<<31)},
		{"a map past the end", "has its map of 2 blocks at 4294966784", LE32(340, ^uint32(511))},
		{"data past the end", "has 1 blocks from 4294966784 on", LE32(344, ^uint32(511))},
		{"a block past the end", "has a block 4294967293 in its map", LE32(516, ^uint32(2))},
		{"one block for all", "uses the same place of its file for more than one block", LE32(512, 0)},
	} {
		images = append(images, Image{Name: "VDI: " + i.name, Bytes: VDI(i.put), Format: hypervisor.VDI, Reason: one + i.reason})
	}
	return images
}
