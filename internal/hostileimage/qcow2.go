package hostileimage

import (
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/qcow2"
)

// Where QCOW2 has its parts, with the clusters of 16 KiB that qcow2.Empty makes.
const (
	cluster   = 16 << 10
	refTable  = cluster
	l1Table   = 3 * cluster
	extension = 104
)

// QCOW2 returns a QCOW2 image of 1 GiB in which nothing was ever written.
func QCOW2(puts ...Put) []byte { return Change(qcow2.Empty(1<<30, ""), puts...) }

// backed returns one whose header says that it lies over a file of that name and format.
func backed(name, format string) []byte {
	b := QCOW2(BE64(8, 512), BE32(16, uint32(len(name))), Text(512, name)) //nolint:gosec // names are short
	return Change(b, BE32(extension, 0xe2792aca), BE32(extension+4, uint32(len(format))), Text(extension+8, format))
}

func qcow2Images(canary string) []Image {
	const tables = "this QCOW2 image has "
	var images []Image
	add := func(name, reason string, b []byte) {
		images = append(images, Image{Name: "QCOW2: " + name, Bytes: b, Format: hypervisor.QCOW2, Reason: reason})
	}
	const needs = "this QCOW2 image needs a backing file"
	add("a backing file", needs, backed(canary, "raw"))
	add("a backing file above its folder", needs, backed("../../../../../../../.."+canary, "raw"))
	add("a backing file of a format that is guessed", needs, QCOW2(BE64(8, 512), BE32(16, uint32(len(canary))), Text(512, canary))) //nolint:gosec // short
	add("a backing file in JSON", needs, backed(`json:{"driver":"raw","file":{"driver":"file","filename":"`+canary+`"}}`, "raw"))
	add("a backing file on the network", needs, backed("nbd://127.0.0.1:10809/x", "raw"))
	add("a backing file that is a device", needs, backed("/dev/sda", "host_device"))
	add("the length of a name alone", needs, QCOW2(BE32(16, 8)))
	add("a name past the first cluster", needs, QCOW2(BE64(8, 1<<40), BE32(16, 8)))
	add("an external data file", "this QCOW2 image keeps its data in an external file", QCOW2(BE64(72, 1<<2),
		BE32(extension, 0x44415441), BE32(extension+4, uint32(len(canary))), Text(extension+8, canary))) //nolint:gosec // short
	add("the name of a data file alone", "this QCOW2 image names an external data file", QCOW2(
		BE32(extension, 0x44415441), BE32(extension+4, uint32(len(canary))), Text(extension+8, canary))) //nolint:gosec // short
	add("encryption (AES)", "this QCOW2 image is encrypted", QCOW2(BE32(32, 1)))
	add("encryption (LUKS)", "this QCOW2 image is encrypted", QCOW2(BE32(32, 2)))
	add("a mark of corruption", "this QCOW2 image is marked as corrupt", QCOW2(BE64(72, 1<<1)))
	add("an unknown feature", "this QCOW2 image needs features that are not known", QCOW2(BE64(72, 1<<40)))
	add("version 1, which has a backing file", "this is a QCOW image of version 1", QCOW2(BE32(4, 1), BE64(8, 512), BE32(16, 8)))
	add("16 EiB", tables+"a virtual size of 18446744073709551104 bytes", QCOW2(BE64(24, ^uint64(511))))
	add("a negative size", tables+"a virtual size of 9223372036854775808 bytes", QCOW2(BE64(24, 1<<63)))
	add("no size", tables+"a virtual size of 0 bytes", QCOW2(BE64(24, 0)))
	add("absurd clusters", tables+"clusters of 2^4294967295 bytes", QCOW2(BE32(20, ^uint32(0))))
	add("an absurd header", tables+"a header of 4294967288 bytes", QCOW2(BE32(100, ^uint32(7))))
	add("absurd reference counts", tables+"reference counts of 2^255 bits", QCOW2(BE32(96, 255)))
	add("an absurd L1 table", tables+"an L1 table of 4294967295 entries", QCOW2(BE32(36, ^uint32(0))))
	add("an L1 table that wraps around", tables+"its L1 table of", QCOW2(BE64(40, ^uint64(cluster-1))))
	add("an L1 table in the header", tables+"its L1 table at 0", QCOW2(BE64(40, 0)))
	add("an L2 table past the end", tables+"an entry in its L1 table that refers to", QCOW2(BE64(l1Table, 1<<50)))
	add("one L2 table for all, to be large when unpacked", "this QCOW2 image uses a cluster more than once",
		QCOW2(BE64(l1Table, l1Table), BE64(l1Table+8, l1Table)))
	add("an absurd reference count table", tables+"a reference count table of 4294967295 clusters", QCOW2(BE32(56, ^uint32(0))))
	add("reference counts past the end", tables+"an entry in its reference count table that refers to", QCOW2(BE64(refTable, 1<<50)))
	add("an extension past the end", tables+"a header extension of 4294967295 bytes", QCOW2(BE32(extension, 1), BE32(extension+4, ^uint32(0))))
	add("bitmaps past the end", tables+"its directory of bitmaps of", QCOW2(BE32(extension, 0x23852875), BE32(extension+4, 24),
		BE32(extension+8, 1), BE64(extension+16, 64), BE64(extension+24, 1<<50)))
	add("absurdly many snapshots", tables+"4294967295 snapshots", QCOW2(BE32(60, ^uint32(0)), BE64(64, cluster)))
	add("snapshots past the end", tables+"its snapshot table of", QCOW2(BE32(60, 1), BE64(64, 1<<50)))
	snapshot := func(puts ...Put) []byte { // whose table is in a cluster of its own
		b := append(QCOW2(BE32(60, 1), BE64(64, 4*cluster)), make([]byte, cluster)...)
		return Change(b, Both(BE64(4*cluster, l1Table), BE32(4*cluster+8, 1), BE32(4*cluster+12, 1<<16), Both(puts...)))
	}
	add("garbage for a snapshot", tables+"a snapshot 1 with an L1 table of 1431655765 entries", snapshot(func(b []byte) {
		for i := range b[4*cluster:] {
			b[4*cluster+i] = 0x55
		}
	}))
	add("a snapshot of another place", tables+"the L1 table of its snapshot 1 of", snapshot(BE64(4*cluster, 1<<50)))
	add("a snapshot that is too long", tables+"4294967295 bytes more than are known", snapshot(BE32(4*cluster+36, ^uint32(0))))
	add("a header that is cut off", "this QCOW2 image is cut off within its header", QCOW2()[:100])
	add("a header without its tables", tables+"its L1 table of", QCOW2()[:cluster])
	return images
}
