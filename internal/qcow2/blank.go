package qcow2

import "encoding/binary"

const (
	blankClusterBits = 21
	blankHeaderBytes = 512 // up to the backing file's name
	extBackingFormat = 0xe2792aca
)

// Blank returns the beginning of a version 3 image of that virtual size in bytes, over the QCOW2 image backing ("" for
// none). Simulations write it as the whole file: it says what a disk is, without having its tables.
func Blank(size int64, backing string) []byte {
	b := make([]byte, blankHeaderBytes, blankHeaderBytes+len(backing))
	be := binary.BigEndian
	copy(b, Magic)
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], blankClusterBits)
	be.PutUint64(b[24:], uint64(size)) //nolint:gosec // sizes are not negative
	be.PutUint32(b[96:], 4)            // reference counts of 2^4 bits
	be.PutUint32(b[100:], headerV3)
	if backing == "" {
		return b
	}
	be.PutUint64(b[8:], blankHeaderBytes)
	be.PutUint32(b[16:], uint32(len(backing))) //nolint:gosec // a path is at most 4 KiB
	be.PutUint32(b[104:], extBackingFormat)
	be.PutUint32(b[108:], 5)
	copy(b[112:], "qcow2")
	return append(b, backing...)
}
