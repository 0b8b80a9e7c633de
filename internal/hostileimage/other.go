package hostileimage

import (
	"bytes"
	"compress/gzip"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// otherImages are files of formats that are not taken.
func otherImages(canary string) []Image {
	at := func(offset int, magic string) []byte { return Change(make([]byte, 8192), Text(offset, magic)) }
	qed := Change(at(0, "QED\x00"), LE64(16, 1), Text(512, canary)) // which has a backing file
	var images []Image
	for _, i := range []struct {
		name, reason string
		b            []byte
	}{
		{"a QED image with a backing file", "this is a QED image", qed},
		{"a VHDX image", "this is a VHDX image", at(0, "vhdxfile")},
		{"a Parallels image", "this is a Parallels image", at(0, "WithouFreSpacExt")},
		{"a Bochs image", "this is a Bochs image", at(0, "Bochs Virtual HD Image")},
		{"a compressed loop image", "this is a compressed loop image", at(0, "#!/bin/sh\n#V2.0 Format\n")},
		{"an Apple image", "this is an Apple disk image (DMG)", at(8192-512, "koly")},
		{"a LUKS disk", "this is an encrypted disk (LUKS)", at(0, "LUKS\xba\xbe")},
		{"an ISO that is cut off", "this is an ISO 9660 image of", Change(make([]byte, 40960), Text(0x8000, "\x01CD001\x01"), LE32(0x8050, 1<<31), LE32(0x8080, 2048))},
		{"a web page", "this is an HTML page", []byte("<!doctype html>" + strings.Repeat("no disk here\n", 100))},
		{"a list of accounts", "this is a text", []byte(strings.Repeat("root:x:0:0:root:/root:/bin/bash\n", 32))},
		{"half a sector", "the file is no known image format", Change(make([]byte, 1000), Text(510, "\x55\xaa"))},
		{"a tar archive with links", "this is a tar archive", at(257, "ustar\x0000")},
	} {
		images = append(images, Image{Name: i.name, Bytes: i.b, Reason: i.reason})
	}
	return images
}

// packedImages are hostile once they are unpacked, or by that.
func packedImages(canary string) []Image {
	bomb := make([]byte, Unpacked+1<<20)
	images := []Image{
		{Name: "a packed backing file (gzip)", Bytes: gzipped(backed(canary, "raw")), Reason: "this QCOW2 image needs a backing file"},
		{Name: "a packed backing file (zstd)", Bytes: zstandard(backed(canary, "raw")), Reason: "this QCOW2 image needs a backing file"},
		{Name: "a packed VMDK with an extent elsewhere", Bytes: gzipped(VMDK(Text(512, Descriptor("monolithicSparse", "RW 8 FLAT \""+canary+"\" 0\n")))), Reason: "this VMDK image lists an extent"},
		{Name: "a gzip bomb", Bytes: gzipped(bomb), Reason: "the image is larger than 8388608 bytes"},
		{Name: "a zstd bomb", Bytes: zstandard(bomb), Reason: "the image is larger than 8388608 bytes"},
		{Name: "a packed pack", Bytes: gzipped(gzipped(QCOW2())), Reason: "this is a gzip file"},
	}
	cut := gzipped(QCOW2())
	return append(images, Image{Name: "a gzip file that is cut off", Bytes: cut[:len(cut)-6], Reason: "this gzip file is cut off"})
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func zstandard(b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err) // it has no options that could be wrong
	}
	defer w.Close() //nolint:errcheck // nothing is open
	return w.EncodeAll(b, nil)
}
