// Package hostileimage makes small disk images by which a stranger would try to reach files of the host, to exhaust it or to
// break what reads them, and the honest ones that they were made of. For tests only.
package hostileimage

import (
	"encoding/binary"
	"slices"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// Image is one file.
type Image struct {
	Name   string            // what is wrong with it
	Bytes  []byte            // what somebody sends
	Format hypervisor.Format // that it has by its first and last bytes; "" if it is packed, or no image of a format that is taken
	Reason string            // beginning of the text by which the header guard refuses it
}

// Unpacked is the size in bytes that a cloud must have as its limit for unpacked images for the bombs among All to be refused
// for it.
const Unpacked = 8 << 20

// All returns the hostile images. Those that name a file name that of the path canary, which must be absolute.
func All(canary string) []Image {
	return slices.Concat(qcow2Images(canary), vmdkImages(canary), vdiImages(), vhdImages(canary), otherImages(canary), packedImages(canary))
}

// Put changes an image.
type Put func(b []byte)

// LE32 writes a little-endian number at an offset.
func LE32(at int, v uint32) Put { return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) } }

// LE64 writes a little-endian number at an offset.
func LE64(at int, v uint64) Put { return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) } }

// BE32 writes a big-endian number at an offset.
func BE32(at int, v uint32) Put { return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) } }

// BE64 writes a big-endian number at an offset.
func BE64(at int, v uint64) Put { return func(b []byte) { binary.BigEndian.PutUint64(b[at:], v) } }

// Text writes a text at an offset.
func Text(at int, s string) Put { return func(b []byte) { copy(b[at:], s) } }

// Both makes several changes, one after the other.
func Both(puts ...Put) Put {
	return func(b []byte) {
		for _, p := range puts {
			p(b)
		}
	}
}

// Change makes changes to b and returns it.
func Change(b []byte, puts ...Put) []byte {
	Both(puts...)(b)
	return b
}
