package qcow2

import (
	"encoding/binary"
	"io"
)

// Of the table of snapshots within an image.
const (
	maxExtra      = 1024                // bytes of what an entry has beyond what is known, as qemu has it
	maxSnapTable  = 1024 * maxSnapshots // bytes, as qemu has it
	snapshotAlign = 8
)

// checkSnapshots walks the table of the snapshots within an image. They are not used, but a reader loads their entries.
func (h Header) checkSnapshots(r io.ReaderAt, size uint64) error {
	at := h.snapshotsAt
	b := make([]byte, minSnapshot)
	for i := range h.Snapshots {
		if at > size || size-at < minSnapshot {
			return refused("has the entry of snapshot %d at %d, but ends at %d: it is cut off; fetch it again", i+1, at, size)
		}
		if err := readAll(r, at, b); err != nil {
			return err
		}
		bytes, err := h.checkSnapshot(b, i+1, size)
		if err != nil {
			return err
		}
		last := i+1 == h.Snapshots
		if bytes > size-at && (!last || (bytes-size+at) >= snapshotAlign) { // the last one may lack what fills it up
			return refused("has an entry of %d bytes for snapshot %d at %d, but ends at %d: it is cut off; fetch it again", bytes, i+1, at, size)
		}
		if at += bytes; at-h.snapshotsAt > maxSnapTable {
			return refused("has a snapshot table of more than %d bytes: it is damaged", maxSnapTable)
		}
	}
	return nil
}

// checkSnapshot judges the known part of one entry, and returns how many bytes all of it takes.
func (h Header) checkSnapshot(b []byte, number uint32, size uint64) (uint64, error) {
	be := binary.BigEndian
	l1At, l1Entries := be.Uint64(b), be.Uint32(b[8:])
	id, name, extra := uint64(be.Uint16(b[12:])), uint64(be.Uint16(b[14:])), uint64(be.Uint32(b[36:]))
	switch {
	case l1Entries == 0 || l1Entries > maxL1/8:
		return 0, refused("has a snapshot %d with an L1 table of %d entries; 1 to %d are possible: it is damaged", number, l1Entries, maxL1/8)
	case l1At == 0 || l1At%(1<<h.clusterBits) != 0:
		return 0, refused("has the L1 table of its snapshot %d at %d, which is no cluster's beginning: it is damaged", number, l1At)
	case l1At > size || uint64(l1Entries)*8 > size-l1At:
		return 0, refused("has the L1 table of its snapshot %d of %d bytes at %d, but ends at %d: it is cut off; fetch it again",
			number, uint64(l1Entries)*8, l1At, size)
	case extra > maxExtra:
		return 0, refused("has %d bytes more than are known for its snapshot %d; at most %d are possible: it is damaged", extra, number, maxExtra)
	case id == 0:
		return 0, refused("has a snapshot %d without an ID: it is damaged", number)
	}
	return (minSnapshot + extra + id + name + snapshotAlign - 1) / snapshotAlign * snapshotAlign, nil
}
