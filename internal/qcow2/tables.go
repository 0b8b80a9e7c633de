package qcow2

import (
	"encoding/binary"
	"io"
)

// What qemu refuses beyond, too.
const (
	maxL1        = 32 << 20 // bytes
	maxRefTable  = 8 << 20  // bytes
	maxSnapshots = 65536
	minSnapshot  = 40 // bytes of the shortest entry
	extensions   = 64 // as many header extensions are read
)

// checkTables checks that the tables that the header names are of the right size, aligned, and within the file of size
// bytes.
func (h Header) checkTables(size uint64) error {
	perL2 := h.clusterBits - 3 // entries of a cluster of L2 table, as a power of two
	if h.ExtendedL2() {
		perL2--
	}
	needed := uint64(h.Size-1)>>(h.clusterBits+perL2) + 1 //nolint:gosec // a size is at least 1
	if uint64(h.l1Entries) < needed || h.l1Entries > maxL1/8 {
		return refused("has an L1 table of %d entries; its virtual size of %d bytes takes %d, and at most %d are "+
			"possible: it is damaged", h.l1Entries, h.Size, needed, maxL1/8)
	}
	if h.refClusters == 0 || uint64(h.refClusters)<<h.clusterBits > maxRefTable {
		return refused("has a reference count table of %d clusters of %d bytes; it must be 1 to %d bytes: it is damaged",
			h.refClusters, h.ClusterSize, maxRefTable)
	}
	if h.Snapshots > maxSnapshots {
		return refused("has %d snapshots; at most %d are possible: it is damaged", h.Snapshots, maxSnapshots)
	}
	tables := []struct {
		name      string
		at, bytes uint64
	}{
		{"L1 table", h.l1At, uint64(h.l1Entries) * 8},
		// As much of it as is there is enough: qemu may leave the last cluster of a file short.
		{"reference count table", h.refsAt, 8},
		{"snapshot table", h.snapshotsAt, uint64(h.Snapshots) * minSnapshot},
	}
	for _, t := range tables {
		switch {
		case t.bytes == 0:
		case t.at == 0 || t.at%(1<<h.clusterBits) != 0:
			return refused("has its %s at %d, which is no cluster's beginning: it is damaged", t.name, t.at)
		case t.at > size || t.bytes > size-t.at:
			return refused("has its %s of %d bytes at %d, but ends at %d: it is cut off; fetch it again",
				t.name, t.bytes, t.at, size)
		}
	}
	return nil
}

// checkExtensions walks the header extensions and refuses those that make the image need another file or a key.
func (h Header) checkExtensions(r io.ReaderAt) error {
	const (
		end        = 0x00000000
		dataFile   = 0x44415441
		encryption = 0x0537be77
	)
	at := int64(h.length)
	for range extensions {
		if at+8 > h.ClusterSize {
			return nil // qemu takes the end of the first cluster for the end of the extensions
		}
		b, err := readAt(r, at, 8)
		if err != nil {
			return err
		}
		if len(b) < 8 {
			return nil // and so it takes the end of the file
		}
		kind, length := binary.BigEndian.Uint32(b), int64(binary.BigEndian.Uint32(b[4:]))
		switch {
		case kind == end:
			return nil
		case kind == dataFile:
			return refused("names an external data file in its header extension at %d: "+
				"convert it with qemu-img convert -O qcow2 where that file is", at)
		case kind == encryption:
			return refused("has an encryption header at %d: decrypt it with qemu-img convert first", at)
		case length > h.ClusterSize-at-8:
			return refused("has a header extension of %d bytes at %d, past the end of its first cluster: it is damaged",
				length, at)
		}
		at += 8 + (length+7)/8*8
	}
	return refused("has more than %d header extensions: it is damaged", extensions)
}
