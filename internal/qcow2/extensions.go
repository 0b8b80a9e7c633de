package qcow2

import (
	"encoding/binary"
	"io"
)

// What follows a header.
const (
	extEnd        = 0x00000000
	extDataFile   = 0x44415441
	extEncryption = 0x0537be77
	extNames      = 0x6803f857 // what features are called; for messages only
	extBitmaps    = 0x23852875

	extensions   = 64 // as many are read
	maxFormat    = 15 // bytes of the name of a backing file's format, as qemu has it
	nameEntry    = 48 // bytes that one feature's name takes
	bitmapsBytes = 24
	maxBitmaps   = 65535
	maxBitmapDir = 1024 * maxBitmaps // bytes
)

// extension is one header extension.
type extension struct {
	kind, length uint32
	at           int64 // of its head of 8 bytes
}

// checkExtensions walks the header extensions and refuses those that make the image need another file or a key, and those
// that cannot be. It returns what they say of the format of the backing file, "" if nothing.
func (h Header) checkExtensions(r io.ReaderAt) (backingFormat string, err error) {
	at := int64(h.length)
	for range extensions {
		if at+8 > h.ClusterSize {
			return backingFormat, nil // qemu takes the end of the first cluster for the end of the extensions
		}
		b, err := readAt(r, at, 8)
		if err != nil {
			return "", err
		}
		if len(b) < 8 {
			return backingFormat, nil // and so it takes the end of the file
		}
		e := extension{kind: binary.BigEndian.Uint32(b), length: binary.BigEndian.Uint32(b[4:]), at: at}
		if e.kind == extEnd {
			return backingFormat, nil
		}
		if err := h.checkExtension(r, e); err != nil {
			return "", err
		}
		if e.kind == extBackingFormat {
			b, err := readAt(r, at+8, int(e.length)) // checked to be short
			if err != nil {
				return "", err
			}
			backingFormat = string(b)
		}
		at += 8 + (int64(e.length)+7)/8*8
	}
	return "", refused("has more than %d header extensions: it is damaged", extensions)
}

func (h Header) checkExtension(r io.ReaderAt, e extension) error {
	switch {
	case e.kind == extDataFile:
		return refused("names an external data file in its header extension at %d: "+
			"convert it with qemu-img convert -O qcow2 where that file is", e.at)
	case e.kind == extEncryption:
		return refused("has an encryption header at %d: decrypt it with qemu-img convert first", e.at)
	case int64(e.length) > h.ClusterSize-e.at-8:
		return refused("has a header extension of %d bytes at %d, past the end of its first cluster: it is damaged",
			e.length, e.at)
	case e.kind == extBackingFormat && e.length > maxFormat:
		return refused("names the format of its backing file by %d bytes: it is damaged", e.length)
	case e.kind == extNames && e.length%nameEntry != 0:
		return refused("has a table of feature names of %d bytes, which are no entries of %d: it is damaged", e.length, nameEntry)
	case e.kind == extBitmaps:
		return h.checkBitmaps(r, e)
	}
	return nil
}

// checkBitmaps looks at the directory of bitmaps. Bitmaps themselves are never read: a copy has none.
func (h Header) checkBitmaps(r io.ReaderAt, e extension) error {
	if e.length != bitmapsBytes {
		return refused("has a bitmaps extension of %d bytes, want %d: it is damaged", e.length, bitmapsBytes)
	}
	b, err := readAt(r, e.at+8, bitmapsBytes)
	if err != nil {
		return err
	}
	if len(b) < bitmapsBytes {
		return refused("is cut off within its header: fetch it again")
	}
	count, size, at := binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
	switch {
	case count == 0 || count > maxBitmaps || size == 0 || size > maxBitmapDir:
		return refused("has %d bitmaps in a directory of %d bytes; 1 to %d in at most %d are possible: it is damaged",
			count, size, maxBitmaps, maxBitmapDir)
	case at == 0 || at%uint64(h.ClusterSize) != 0 || at > 1<<62: //nolint:gosec // positive
		return refused("has its directory of bitmaps at %d, which is no cluster's beginning: it is damaged", at)
	}
	last, err := readAt(r, int64(at+size-1), 1)
	if err == nil && len(last) == 0 {
		return refused("has its directory of bitmaps of %d bytes at %d, but ends before: it is cut off; fetch it again", size, at)
	}
	return err
}
