package blob_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

const gib = int64(1) << 30

// qcow2 returns a blank QCOW2 image of version 3, 1 GiB and clusters of 64 KiB, after change has had its way with it.
func qcow2(change ...func(b []byte)) []byte {
	b := make([]byte, 0x30010)
	be := binary.BigEndian
	copy(b, "QFI\xfb")
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], 16)      // cluster bits
	be.PutUint64(b[24:], 1<<30)   // virtual size
	be.PutUint32(b[36:], 2)       // L1 entries
	be.PutUint64(b[40:], 0x30000) // L1 table
	be.PutUint64(b[48:], 0x10000) // reference count table
	be.PutUint32(b[56:], 1)
	be.PutUint32(b[96:], 4) // reference count order
	be.PutUint32(b[100:], 112)
	for _, c := range change {
		c(b)
	}
	return b
}

func u32(at int, v uint32) func([]byte) {
	return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) }
}

func u64(at int, v uint64) func([]byte) {
	return func(b []byte) { binary.BigEndian.PutUint64(b[at:], v) }
}

// snapshot gives an image one snapshot, with an L1 table of so many entries at an offset.
func snapshot(l1At uint64, l1 uint32, id uint16) func([]byte) {
	const at = 0x20000
	return all(u32(60, 1), u64(64, at), u64(at, l1At), u32(at+8, l1), func(b []byte) { binary.BigEndian.PutUint16(b[at+12:], id) })
}

// bitmaps gives an image an extension about bitmaps.
func bitmaps(count uint32, size, at uint64) func([]byte) {
	return all(u32(112, 0x23852875), u32(116, 24), u32(120, count), u64(128, size), u64(136, at))
}

// version2 makes an image one of version 2, which has a shorter header.
func version2(b []byte) {
	clear(b[72:112])
	b[7] = 2
}

// all makes one change of several.
func all(changes ...func([]byte)) func([]byte) {
	return func(b []byte) {
		for _, c := range changes {
			c(b)
		}
	}
}

// disk returns size zeroes with texts at offsets.
func disk(size int, texts map[int]string) []byte {
	b := make([]byte, size)
	for at, text := range texts {
		copy(b[at:], text)
	}
	return b
}

// iso returns an ISO 9660 volume of some sectors, cut off after size bytes.
func iso(sectors uint32, size int) []byte {
	b := disk(max(size, 0x8800), map[int]string{0x8000: "\x01CD001\x01"})
	binary.LittleEndian.PutUint32(b[0x8050:], sectors)
	binary.LittleEndian.PutUint16(b[0x8080:], 2048)
	return b[:size]
}

func TestImagesThatAreTaken(t *testing.T) {
	t.Parallel()
	plain := blob.Facts{
		Format: hypervisor.QCOW2, MIMEType: "application/octet-stream", VirtualSize: gib, ClusterSize: 65536,
		Compat: "1.1", Compression: "zlib",
	}
	with := func(change func(*blob.Facts)) blob.Facts {
		f := plain
		change(&f)
		return f
	}
	raw := func(size int64) blob.Facts {
		return blob.Facts{Format: hypervisor.Raw, MIMEType: "application/octet-stream", VirtualSize: size}
	}
	isoOf := func(size int64) blob.Facts {
		return blob.Facts{Format: hypervisor.ISO, MIMEType: "application/x-iso9660-image", VirtualSize: size}
	}
	tests := []struct {
		name  string
		image []byte
		facts blob.Facts
	}{
		{"a blank QCOW2", qcow2(), plain},
		{"version 2", qcow2(version2), with(func(f *blob.Facts) { f.Compat = "0.10" })},
		{"the shortest header of version 3", qcow2(u32(100, 104)), plain},
		{"one that was not closed (dirty)", qcow2(u64(72, 1)), plain},
		{"compressed by zstd", qcow2(u64(72, 1<<3), func(b []byte) { b[104] = 1 }), with(func(f *blob.Facts) { f.Compression = "zstd" })},
		{"extended L2 entries", qcow2(u64(72, 1<<4), u32(36, 4), u64(40, 0x20000)), with(func(f *blob.Facts) { f.ExtendedL2 = true })},
		{"features that may be ignored", qcow2(u64(80, ^uint64(0)), u64(88, ^uint64(0))), plain},
		{"a snapshot within", qcow2(snapshot(0x30000, 2, 1)), plain},
		{"bitmaps", qcow2(bitmaps(1, 64, 0x20000)), plain},
		{"an L2 table", qcow2(u64(0x30000, 1<<63|0x20000)), plain},
		{"a longer L1 table than needed", qcow2(u32(36, 2), u64(24, 1<<29)), with(func(f *blob.Facts) { f.VirtualSize = gib / 2 })},
		{"a feature name table", qcow2(u32(112, 0x6803f857), u32(116, 144)), plain},
		{"an extension nobody knows, and then none", qcow2(u32(112, 0x12345678), u32(116, 3), u32(128, 0)), plain},
		{
			"a first cluster full of extensions, without an end",
			qcow2(u32(112, 0x12345678), u32(116, 65536-112-8)), plain,
		},
		{"a raw disk with a boot sector", disk(1024, map[int]string{510: "\x55\xaa"}), raw(1024)},
		{"a raw disk with GPT", disk(4096, map[int]string{510: "\x55\xaa", 512: "EFI PART"}), raw(4096)},
		{"an ext4 file system", disk(1<<16, map[int]string{1080: "\x53\xef"}), raw(1 << 16)},
		{"an XFS file system, which begins with letters", disk(512, map[int]string{0: "XFSB\x00\x00\x10\x00"}), raw(512)},
		{"a blank disk", make([]byte, 1<<20), raw(1 << 20)},
		{"random bytes", bytes.Repeat([]byte{0x9c, 0x01, 0xfe, 0x80}, 128), raw(512)},
		{"an ISO 9660 volume", iso(20, 40960), isoOf(40960)},
		{"one that is not whole sectors, as some are", iso(20, 40961), isoOf(40961)},
		{"one without the run-out that it counts", iso(170, 40960), isoOf(40960)},
		{"one that boots from a stick too", func() []byte { b := iso(20, 40960); copy(b[510:], "\x55\xaa"); return b }(), isoOf(40960)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := blob.Inspect(bytes.NewReader(tt.image), int64(len(tt.image)), blob.Limits{})
			if err != nil || got != tt.facts {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.facts)
			}
		})
	}
}

func TestQCOW2ThatIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func([]byte)
		text   string // what follows "this QCOW2 image "
	}{
		{"version 4", u32(4, 4), "is of version 4; versions 2 and 3 are known"},
		{"a backing file", all(u64(8, 0x200), u32(16, 11)), "needs a backing file (its name is 11 bytes at 512): flatten it with qemu-img convert"},
		{"a backing file's length alone", u32(16, 11), "needs a backing file (its name is 11 bytes at 0)"},
		{"a backing file's place alone", u64(8, 0x200), "needs a backing file (its name is 0 bytes at 512)"},
		{"a backing file in version 2", all(version2, u64(8, 0x200), u32(16, 11)), "needs a backing file"},
		{"an external data file", u64(72, 1<<2), "keeps its data in an external file (incompatible feature bit 2)"},
		{"the name of an external data file", all(u32(112, 0x44415441), u32(116, 8)), "names an external data file in its header extension at 112"},
		{
			"the name of an external data file, after another extension",
			all(u32(112, 0x12345678), u32(116, 3), u32(128, 0x44415441)), "names an external data file in its header extension at 128",
		},
		{
			"the name of an external data file in version 2", all(version2, u32(72, 0x44415441), u32(76, 8)),
			"names an external data file in its header extension at 72",
		},
		{"AES", u32(32, 1), "is encrypted (method 1)"},
		{"LUKS", u32(32, 2), "is encrypted (method 2)"},
		{"LUKS in an extension", u32(112, 0x0537be77), "has an encryption header at 112"},
		{"corruption", u64(72, 1<<1), "is marked as corrupt (incompatible feature bit 1): repair it with qemu-img check"},
		{"an unknown feature", u64(72, 1<<5|1), "needs features that are not known (incompatible feature bits 0x20)"},
		{"the last unknown feature", u64(72, 1<<63), "needs features that are not known (incompatible feature bits 0x8000000000000000)"},
		{"an unknown compression", all(u64(72, 1<<3), func(b []byte) { b[104] = 2 }), "is compressed by method 2"},
		{"zstd without its feature", func(b []byte) { b[104] = 1 }, "contradicts itself about its compression"},
		{"the feature without zstd", u64(72, 1<<3), "contradicts itself about its compression"},
		{"a short header", u32(100, 96), "has a header of 96 bytes, which cannot be"},
		{"an odd header", u32(100, 113), "has a header of 113 bytes, which cannot be"},
		{"a header past its cluster", u32(100, 65544), "has a header of 65544 bytes in clusters of 65536"},
		{"tiny clusters", u32(20, 8), "has clusters of 2^8 bytes"},
		{"huge clusters", u32(20, 22), "has clusters of 2^22 bytes"},
		{"absurd clusters", u32(20, 0xffffffff), "has clusters of 2^4294967295 bytes"},
		{"extended L2 entries in small clusters", all(u64(72, 1<<4), u32(20, 13)), "has extended L2 entries with clusters of 2^13 bytes"},
		{"no size", u64(24, 0), "has a virtual size of 0 bytes; 1 to 17592186044416 are allowed"},
		{"a size beyond the limit", u64(24, 1<<44+1), "has a virtual size of 17592186044417 bytes"},
		{"an absurd size", u64(24, 1<<63), "has a virtual size of 9223372036854775808 bytes"},
		{"absurd reference counts", u32(96, 7), "has reference counts of 2^7 bits"},
		{"an L1 table too short", u32(36, 1), "has an L1 table of 1 entries; its virtual size of 1073741824 bytes takes 2"},
		{"no L1 table", u32(36, 0), "has an L1 table of 0 entries"},
		{"an absurd L1 table", u32(36, 1<<22+1), "has an L1 table of 4194305 entries"},
		{"an L1 table past the end", u32(36, 3), "has its L1 table of 24 bytes at 196608, but ends at 196624: it is cut off"},
		{"an L1 table nowhere", u64(40, 0), "has its L1 table at 0, which is no cluster's beginning"},
		{"an L1 table askew", u64(40, 0x20008), "has its L1 table at 131080, which is no cluster's beginning"},
		{"an L1 table that wraps around", u64(40, ^uint64(0xffff)), "has its L1 table of 16 bytes at 18446744073709486080"},
		{"no reference count table", u32(56, 0), "has a reference count table of 0 clusters"},
		{"an absurd reference count table", u32(56, 0xffffffff), "has a reference count table of 4294967295 clusters"},
		{"a reference count table past the end", u64(48, 0x40000), "has its reference count table of 8 bytes at 262144, but ends at 196624"},
		{"too many snapshots", all(u32(60, 65537), u64(64, 0x20000)), "has 65537 snapshots; at most 65536 are possible"},
		{"snapshots nowhere", u32(60, 1), "has its snapshot table at 0"},
		{"snapshots past the end", all(u32(60, 2000), u64(64, 0x20000)), "has its snapshot table of 80000 bytes at 131072, but ends at 196624"},
		{"a snapshot of nothing", all(u32(60, 1), u64(64, 0x20000)), "has a snapshot 1 with an L1 table of 0 entries"},
		{"a snapshot of absurd size", snapshot(0x30000, 1<<31, 1), "has a snapshot 1 with an L1 table of 2147483648 entries"},
		{"a snapshot without an ID", snapshot(0x30000, 2, 0), "has a snapshot 1 without an ID"},
		{"a snapshot askew", snapshot(0x30008, 2, 1), "has the L1 table of its snapshot 1 at 196616"},
		{"a snapshot past the end", snapshot(0x40000, 2, 1), "has the L1 table of its snapshot 1 of 16 bytes at 262144, but ends at 196624"},
		{"a snapshot with an absurd tail", all(snapshot(0x30000, 2, 1), u32(0x20024, 1<<31)), "has 2147483648 bytes more than are known for its snapshot 1"},
		{"a snapshot whose name is past the end", all(snapshot(0x30000, 2, 1), u32(60, 1000), u64(64, 0x20000)), "has a snapshot 2 with an L1 table of 0 entries"},
		{"no bitmaps in a directory", bitmaps(0, 64, 0x20000), "has 0 bitmaps in a directory of 64 bytes"},
		{"an absurd directory of bitmaps", bitmaps(1, 1<<63, 0x20000), "has 1 bitmaps in a directory of 9223372036854775808 bytes"},
		{"bitmaps nowhere", bitmaps(1, 64, 8), "has its directory of bitmaps at 8, which is no cluster's beginning"},
		{"bitmaps past the end", bitmaps(1, 64, 0x40000), "has its directory of bitmaps of 64 bytes at 262144, but ends before"},
		{"a short bitmaps extension", all(u32(112, 0x23852875), u32(116, 8)), "has a bitmaps extension of 8 bytes"},
		{"feature names cut off", all(u32(112, 0x6803f857), u32(116, 50)), "has a table of feature names of 50 bytes"},
		{"an L2 table past the end", u64(0x30000, 0x70000), "has an entry in its L1 table that refers to 458752, but ends at 196624"},
		{"an L2 table askew", u64(0x30000, 0x20200), "has an entry 0x20200 in its L1 table"},
		{"an L2 table with reserved bits", u64(0x30000, 0x20001), "has an entry 0x20001 in its L1 table"},
		{"an L2 table used twice", all(u64(0x30000, 0x20000), u64(0x30008, 1<<63|0x20000)), "uses a cluster more than once in its L1 table"},
		{"reference counts past the end", u64(0x10008, 0x70000), "has an entry in its reference count table that refers to 458752"},
		{"reference counts used twice", all(u64(0x10000, 0x20000), u64(0x10008, 0x20000)), "uses a cluster more than once in its reference count table"},
		{"an extension past the end", all(u32(112, 0x12345678), u32(116, 65417)), "has a header extension of 65417 bytes at 112"},
		{"an absurd extension", all(u32(112, 0x12345678), u32(116, 0xffffffff)), "has a header extension of 4294967295 bytes at 112"},
		{
			"extensions without end",
			func(b []byte) {
				for at := 112; at < 4096; at += 8 {
					b[at] = 1
				}
			}, "has more than 64 header extensions",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			image := qcow2(tt.change)
			got, err := blob.Inspect(bytes.NewReader(image), int64(len(image)), blob.Limits{})
			checkRefused(t, got, err, "this QCOW2 image "+tt.text)
		})
	}
}

func checkRefused(t *testing.T, got blob.Facts, err error, text string) {
	t.Helper()
	if got != (blob.Facts{}) || fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(fault.Text(err), text) {
		t.Errorf("got %+v, %v: %s\nwant invalid: %s…", got, fault.KindOf(err), fault.Text(err), text)
	}
}

func TestFilesThatAreNoImageAreRefusedByName(t *testing.T) {
	t.Parallel()
	text := func(s string) []byte { return []byte(s + strings.Repeat("all work and no play\n", 100)) }
	at := func(offset int, magic string) []byte { return disk(1<<16, map[int]string{offset: magic}) }
	convert := func(format string) string {
		return ", not a QCOW2, VMDK, VDI, VHD, raw or ISO image: convert it with qemu-img convert -f " + format + " -O qcow2"
	}
	tests := []struct {
		name  string
		image []byte
		text  string
	}{
		{"nothing", nil, "the file is empty, which is no disk image"},
		{"a QCOW2 header cut off", qcow2()[:100], "this QCOW2 image is cut off within its header"},
		{"QCOW 1", qcow2(u32(4, 1)), "this is a QCOW image of version 1: convert it with qemu-img convert -f qcow"},
		{"VMDK", at(0, "KDMV"), "this VMDK image is of version 0; 1 to 3 are known"},
		{"VMDK of ESX", at(0, "COWD"), "this is a VMDK image of ESX" + convert("vmdk")},
		{"newer VMDK of ESX", at(0, "\xbe\xba\xfe\xca\x00\x00\x00\x00"), "this is a VMDK image of ESX (seSparse)" + convert("vmdk")},
		{
			"a VMDK descriptor that names a file of the host",
			[]byte("# Disk DescriptorFile\nversion=1\nRW 1 FLAT \"/etc/shadow\" 0\n"), "this is a VMDK descriptor, which only names other files",
		},
		{
			"a VMDK descriptor dressed as a disk",
			disk(1024, map[int]string{0: "#\n \n\nversion=1\nRW 1 FLAT \"/etc/shadow\" 0\n", 510: "\x55\xaa"}), "this is a VMDK descriptor",
		},
		{"VDI", disk(1<<16, map[int]string{0: "<<< Oracle VM VirtualBox Disk Image >>>\n", 64: "\x7f\x10\xda\xbe"}), "this VDI image is of version 0.0; 1.1 is known"},
		{"VHD", at(0, "conectix"), "this VHD image does not end with its footer"},
		{"VHD of fixed size", at(1<<16-512, "conectix"), "this VHD image has a footer whose checksum is wrong"},
		{"VHDX", at(0, "vhdxfile"), "this is a VHDX image" + convert("vhdx")},
		{"QED", at(0, "QED\x00"), "this is a QED image" + convert("qed")},
		{"Parallels", at(0, "WithoutFreeSpace"), "this is a Parallels image" + convert("parallels")},
		{"newer Parallels", at(0, "WithouFreSpacExt"), "this is a Parallels image" + convert("parallels")},
		{"DMG", at(1<<16-512, "koly"), "this is an Apple disk image (DMG)" + convert("dmg")},
		{"LUKS", at(0, "LUKS\xba\xbe\x00\x02"), "this is an encrypted disk (LUKS), not a QCOW2, VMDK, VDI, VHD, raw or ISO image: decrypt it"},
		{"gzip", at(0, "\x1f\x8b\x08\x00"), "this is a gzip file, not a QCOW2, VMDK, VDI, VHD, raw or ISO image: unpack it"},
		{"xz", at(0, "\xfd7zXZ\x00"), "this is an xz file"},
		{"bzip2", at(0, "BZh91AY&SY"), "this is a bzip2 file"},
		{"Zstandard", at(0, "\x28\xb5\x2f\xfd"), "this is a Zstandard file"},
		{"zip", at(0, "PK\x03\x04"), "this is a zip archive"},
		{"tar", at(257, "ustar\x0000"), "this is a tar archive"},
		{"PDF", at(0, "%PDF-1.7\n%\xe2\xe3\xcf\xd3\x00"), "this is a PDF document"},
		{"ELF", at(0, "\x7fELF\x02"), "this is a program (ELF)"},
		{"HTML", text("<!DOCTYPE html>\n<title>Sign in</title>"), "this is an HTML page, not a disk image: check the URL"},
		{"HTML after space and a byte order mark", text("\ufeff\r\n  <HTML>"), "this is an HTML page, not a disk image: check the URL"},
		{"HTML of whole sectors", []byte("<html>" + strings.Repeat("x", 506)), "this is an HTML page, not a disk image: check the URL"},
		{"HTML in Latin-1", text("<html>caf\xe9"), "this is an HTML page"},
		{"XML", text("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"), "this is an XML document, perhaps an error of the server"},
		{"JSON", text(`{"message": "Not Found"}`), "this is a JSON document, perhaps an error of the server"},
		{"a list", text(`[1]`), "this is a JSON document"},
		{"a script", text("#!/bin/sh\n"), "this is a script"},
		{"a short text", []byte("404\n"), "this is a text, not a disk image: check the URL"},
		{"UTF-16", []byte("\xff\xfeh\x00i\x00"), "this is a text in UTF-16"},
		{"an ISO cut off", iso(1000, 40960), "this is an ISO 9660 image of 2048000 bytes that is cut off after 40960: fetch it again"},
		{"a disk cut off", disk(1000, map[int]string{510: "\x55\xaa"}), "the file is no known image format, and as a raw disk of 1000 bytes it lacks 24"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := blob.Inspect(bytes.NewReader(tt.image), int64(len(tt.image)), blob.Limits{})
			checkRefused(t, got, err, tt.text)
		})
	}
}

func TestTheLimitHoldsForEveryFormat(t *testing.T) {
	t.Parallel()
	for _, image := range [][]byte{qcow2(), disk(2048, nil), iso(20, 40960)} {
		size := int64(len(image))
		facts, err := blob.Inspect(bytes.NewReader(image), size, blob.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := blob.Inspect(bytes.NewReader(image), size, blob.Limits{VirtualBytes: facts.VirtualSize}); err != nil {
			t.Errorf("%s at its limit: %v", facts.Format, err)
		}
		if _, err := blob.Inspect(bytes.NewReader(image), size, blob.Limits{VirtualBytes: facts.VirtualSize - 1}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s beyond its limit: %v", facts.Format, err)
		}
	}
}

// broken fails to read beyond a point.
type broken struct {
	b  []byte
	at int64
}

func (r broken) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > r.at {
		return 0, errors.New("input/output error")
	}
	return copy(p, r.b[at:]), nil
}

func TestAFileThatCannotBeReadIsNotTheImagesFault(t *testing.T) {
	t.Parallel()
	image := qcow2()
	for name, r := range map[string]io.ReaderAt{
		"a disk that fails at once":     broken{image, 0},
		"a disk that fails at the end":  broken{image, 60000},
		"a file shorter than it should": bytes.NewReader(image[:60000]),
	} {
		if _, err := blob.Inspect(r, int64(len(image)), blob.Limits{}); fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzInspect(f *testing.F) {
	for _, b := range [][]byte{
		qcow2()[:1024], qcow2(version2)[:1024], qcow2(u64(8, 0x200), u32(16, 11))[:1024],
		qcow2(u32(112, 0x12345678), u32(116, 3))[:1024], disk(1024, map[int]string{510: "\x55\xaa"}), iso(17, 0x8800),
		[]byte("<html>"), []byte("#\nversion=1\n"),
		{},
	} {
		f.Add(b, int64(1<<18), int64(0))
	}
	f.Fuzz(func(t *testing.T, head []byte, size, limit int64) {
		size = max(int64(len(head)), min(size, 1<<20))
		image := make([]byte, size)
		copy(image, head)
		facts, err := blob.Inspect(bytes.NewReader(image), size, blob.Limits{VirtualBytes: limit})
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || facts != (blob.Facts{}) {
				t.Fatalf("%+v, %v", facts, err)
			}
			return
		}
		if limit <= 0 {
			limit = blob.MaxVirtualBytes
		}
		if facts.VirtualSize <= 0 || facts.VirtualSize > limit {
			t.Fatalf("virtual size %d with a limit of %d", facts.VirtualSize, limit)
		}
		switch facts.Format {
		case hypervisor.QCOW2:
			incompatible := binary.BigEndian.Uint64(image[72:])
			if image[7] == 2 {
				incompatible = 0
			}
			if !bytes.Equal(image[8:20], make([]byte, 12)) || incompatible&^0b11001 != 0 || facts.ClusterSize < 512 {
				t.Fatalf("taken as %+v with header % x", facts, image[:112])
			}
		case hypervisor.Raw, hypervisor.ISO:
			if facts.VirtualSize != size || bytes.HasPrefix(image, []byte("QFI\xfb")) {
				t.Fatalf("%+v of %d bytes", facts, size)
			}
		case hypervisor.VMDK, hypervisor.VDI, hypervisor.VHD:
			if facts.Variant == "" || bytes.HasPrefix(image, []byte("QFI\xfb")) {
				t.Fatalf("taken as %+v", facts)
			}
		default:
			t.Fatalf("no such format: %+v", facts)
		}
	})
}

func ExampleInspect() {
	page := "<!DOCTYPE html><title>Not what you were looking for</title>"
	_, err := blob.Inspect(strings.NewReader(page), int64(len(page)), blob.Limits{})
	fmt.Println(fault.Text(err))
	// Output: this is an HTML page, not a disk image: check the URL
}
