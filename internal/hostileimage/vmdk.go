package hostileimage

import (
	"strings"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

func vmdkImages(canary string) []Image {
	var images []Image
	add := func(name, reason string, b []byte) {
		images = append(images, Image{Name: "VMDK: " + name, Bytes: b, Format: hypervisor.VMDK, Reason: reason})
	}
	const one = "this VMDK image "
	with := func(lines string) []byte { return VMDK(Text(512, Descriptor("monolithicSparse", lines))) }
	add("a flat extent elsewhere", one+"lists an extent in its descriptor that is no sparse one", with("RW 8 FLAT \""+canary+"\" 0\n"))
	add("a flat extent beside its own", one+"lists 2 extents", with(Extents+"RW 8 FLAT \""+canary+"\" 0\n"))
	add("a sparse extent elsewhere", one+"lists an extent in its descriptor that is no sparse one", with("RW 4096 SPARSE \""+canary+"\"\n"))
	add("a device", one+"lists an extent in its descriptor that is no sparse one", with("RW 4096 VMFSRDM \"/dev/sda\"\n"))
	add("no size, so that the descriptor counts", one+"has no virtual size",
		VMDK(LE64(12, 0), Text(512, Descriptor("monolithicFlat", "RW 8 FLAT \""+canary+"\" 0\n"))))
	add("a parent", one+"names a parent", with(Extents+"parentFileNameHint=\""+canary+"\"\n"))
	add("a parent where nothing should be", one+"names a parent",
		VMDK(LE64(36, 1), Text(1024+512, "parentFileNameHint=\""+canary+"\"")))
	add("a parent's ID", one+"has only what differs from a parent",
		VMDK(Text(512, strings.Replace(Descriptor("monolithicSparse", Extents), "parentCID=ffffffff", "parentCID=00000001", 1))))
	add("16 EiB", one+"has a virtual size of 36028797018963967 sectors", VMDK(LE64(12, 1<<55-1)))
	add("a negative size", one+"has a virtual size of 18446744073709551615 sectors", VMDK(LE64(12, ^uint64(0))))
	add("absurd grains", one+"has grains of 9223372036854775808 sectors", VMDK(LE64(20, 1<<63)))
	add("a directory that wraps around", one+"has its grain directory at sector 36028797018963967", VMDK(LE64(56, 1<<55-1)))
	add("one grain table for all", one+"uses the same place of its file for more than one block", VMDK(LE64(12, 65536*2), LE32(21*512+4, 22)))
	add("a grain table past the end", one+"has a grain table at sector 4294967295", VMDK(LE32(21*512, ^uint32(0))))
	end := 64 << 10
	add("a stream whose end tells another size", one+"contradicts itself", Stream(LE64(end+512+12, 1<<50)))
	add("a stream that is cut off", one+"does not end with its footer", Stream()[:end])
	describe := func(name, reason, before string) {
		images = append(images, Image{
			Name: "VMDK: " + name, Reason: reason,
			Bytes: []byte(before + Descriptor("monolithicFlat", "RW 8 FLAT \""+canary+"\" 0\n") + strings.Repeat("# filled up\n", 80)),
		})
	}
	describe("a descriptor alone", "this is a VMDK descriptor", "")
	describe("a descriptor after empty lines", "this is a VMDK descriptor", "\n \n#\n")
	dressed := make([]byte, 1024)
	copy(dressed, "#\nversion=1\nRW 8 FLAT \""+canary+"\" 0\n")
	images = append(
		images,
		Image{Name: "VMDK: a descriptor dressed as a disk", Bytes: Change(dressed, Text(510, "\x55\xaa")), Reason: "this is a VMDK descriptor"},
		Image{Name: "VMDK: of ESX", Bytes: Change(make([]byte, 4096), Text(0, "COWD")), Reason: "this is a VMDK image of ESX"},
		Image{
			Name: "VMDK: seSparse", Reason: "this is a VMDK image of ESX (seSparse)",
			Bytes: Change(make([]byte, 4096), LE64(0, 0xcafebabe)),
		},
	)
	return images
}
