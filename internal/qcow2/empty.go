package qcow2

import "encoding/binary"

const emptyClusterBits = 14

// Empty returns a whole version 3 image of that virtual size in bytes, in which nothing was ever written, over the QCOW2
// image backing ("" for none). Unlike Blank it has its tables, so every reader takes it; it is 48 KiB and 1 more for each
// 4 GiB.
func Empty(size int64, backing string) []byte {
	const cluster = 1 << emptyClusterBits
	entries := (uint64(size)-1)>>(2*emptyClusterBits-3) + 1 //nolint:gosec // a size is at least 1
	clusters := 3 + (entries*8+cluster-1)/cluster           // header, reference count table and block, L1 table
	b := make([]byte, clusters*cluster)
	copy(b, Blank(size, backing))
	be := binary.BigEndian
	be.PutUint32(b[20:], emptyClusterBits)
	be.PutUint32(b[36:], uint32(entries)) //nolint:gosec // MaxSize has 2^20
	be.PutUint64(b[40:], 3*cluster)
	be.PutUint64(b[48:], cluster)
	be.PutUint32(b[56:], 1)
	be.PutUint64(b[cluster:], 2*cluster)
	for i := range clusters {
		be.PutUint16(b[2*cluster+2*i:], 1)
	}
	return b
}
