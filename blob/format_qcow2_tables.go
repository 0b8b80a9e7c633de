package blob

import (
	"encoding/binary"
	"io"
)

// checkTables checks that the tables that the header names are of the right size, aligned, and within the file.
func (h qcowHeaderFields) checkTables(size uint64) error {
	perL2 := h.clusterBits - 3 // entries of a cluster of L2 table, as a power of two
	if h.incompatible&qcowExtendedL2 != 0 {
		perL2--
	}
	needed := (h.virtual-1)>>(h.clusterBits+perL2) + 1
	if uint64(h.l1Entries) < needed || h.l1Entries > qcowMaxL1/8 {
		return refusedQCOW2("has an L1 table of %d entries; its virtual size of %d bytes takes %d, and at most %d are "+
			"possible: it is damaged", h.l1Entries, h.virtual, needed, qcowMaxL1/8)
	}
	if h.refClusters == 0 || uint64(h.refClusters)<<h.clusterBits > qcowMaxRefTable {
		return refusedQCOW2("has a reference count table of %d clusters of %d bytes; it must be 1 to %d bytes: it is damaged",
			h.refClusters, 1<<h.clusterBits, qcowMaxRefTable)
	}
	if h.snapshots > qcowMaxSnapshots {
		return refusedQCOW2("has %d snapshots; at most %d are possible: it is damaged", h.snapshots, qcowMaxSnapshots)
	}
	tables := []struct {
		name      string
		at, bytes uint64
	}{
		{"L1 table", h.l1At, uint64(h.l1Entries) * 8},
		// As much of it as is there is enough: qemu may leave the last cluster of a file short.
		{"reference count table", h.refTableAt, 8},
		{"snapshot table", h.snapsAt, uint64(h.snapshots) * qcowMinSnapshot},
	}
	for _, t := range tables {
		switch {
		case t.bytes == 0:
		case t.at == 0 || t.at%(1<<h.clusterBits) != 0:
			return refusedQCOW2("has its %s at %d, which is no cluster's beginning: it is damaged", t.name, t.at)
		case t.at > size || t.bytes > size-t.at:
			return refusedQCOW2("has its %s of %d bytes at %d, but ends at %d: it is cut off; fetch it again",
				t.name, t.bytes, t.at, size)
		}
	}
	return nil
}

// checkExtensions walks the header extensions and refuses those that make the image need another file or a key.
func (h qcowHeaderFields) checkExtensions(r io.ReaderAt, size int64) error {
	const (
		end        = 0x00000000
		dataFile   = 0x44415441
		encryption = 0x0537be77
	)
	limit := min(int64(1)<<h.clusterBits, size)
	at := int64(h.length)
	for range qcowExtensions {
		if at+8 > limit {
			return nil // qemu takes the end of the first cluster for the end of the extensions
		}
		b, err := readAt(r, at, 8)
		if err != nil {
			return err
		}
		kind, length := binary.BigEndian.Uint32(b), int64(binary.BigEndian.Uint32(b[4:]))
		switch {
		case kind == end:
			return nil
		case kind == dataFile:
			return refusedQCOW2("names an external data file in its header extension at %d: "+
				"convert it with qemu-img convert -O qcow2 where that file is", at)
		case kind == encryption:
			return refusedQCOW2("has an encryption header at %d: decrypt it with qemu-img convert first", at)
		case length > limit-at-8:
			return refusedQCOW2("has a header extension of %d bytes at %d, past the end of its first cluster: it is damaged",
				length, at)
		}
		at += 8 + (length+7)/8*8
	}
	return refusedQCOW2("has more than %d header extensions: it is damaged", qcowExtensions)
}
