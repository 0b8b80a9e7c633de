package qcow2

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/shakenfist/shakenfist/fault"
)

// What qemu refuses beyond, too.
const (
	maxL1        = 32 << 20 // bytes
	maxRefTable  = 8 << 20  // bytes
	maxSnapshots = 65536
	minSnapshot  = 40 // bytes of the shortest entry

	chunk = 64 << 10 // bytes of a table that are read at once
)

// The parts of an entry of an L1 or reference count table.
const (
	offsetMask   = 0x00fffffffffffe00
	copiedBit    = 1 << 63 // nobody else refers to that cluster
	reservedBits = ^uint64(offsetMask | copiedBit)
)

// checkTables checks that the tables that the header names are of the right size, aligned, and within the file of size
// bytes, and that what they refer to can be.
func (h Header) checkTables(r io.ReaderAt, size uint64) error {
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
	for _, t := range []table{
		{"L1 table", h.l1At, uint64(h.l1Entries) * 8},
		// As much of it as is there is enough: qemu may leave the last cluster of a file short.
		{"reference count table", h.refsAt, 8},
		{"snapshot table", h.snapshotsAt, uint64(h.Snapshots) * minSnapshot},
	} {
		if err := h.checkTable(t, size); err != nil {
			return err
		}
	}
	if err := h.checkEntries(r, size, "L1 table", h.l1At, uint64(h.l1Entries)*8); err != nil {
		return err
	}
	refs := min(uint64(h.refClusters)<<h.clusterBits, size-h.refsAt) / 8 * 8
	if err := h.checkEntries(r, size, "reference count table", h.refsAt, refs); err != nil {
		return err
	}
	return h.checkSnapshots(r, size)
}

// table is where something lies that the header names.
type table struct {
	name      string
	at, bytes uint64
}

func (h Header) checkTable(t table, size uint64) error {
	switch {
	case t.bytes == 0:
	case t.at == 0 || t.at%(1<<h.clusterBits) != 0:
		return refused("has its %s at %d, which is no cluster's beginning: it is damaged", t.name, t.at)
	case t.at > size || t.bytes > size-t.at:
		return refused("has its %s of %d bytes at %d, but ends at %d: it is cut off; fetch it again",
			t.name, t.bytes, t.at, size)
	}
	return nil
}

// checkEntries checks the bytes of a table whose entries refer to clusters: each must be within the file of size bytes, and
// none is referred to twice. A few clusters that are used again and again would be a small file that is large when unpacked.
func (h Header) checkEntries(r io.ReaderAt, size uint64, name string, at, bytes uint64) error {
	var used []uint64
	for done := uint64(0); done < bytes; done += chunk {
		b := make([]byte, min(bytes-done, chunk))
		if err := readAll(r, at+done, b); err != nil {
			return err
		}
		for ; len(b) >= 8; b = b[8:] {
			e := binary.BigEndian.Uint64(b)
			to := e & offsetMask
			switch {
			case e == 0:
				continue
			case e&reservedBits != 0 || to == 0 || to%(1<<h.clusterBits) != 0:
				return refused("has an entry %#x in its %s, which cannot be: it is damaged", e, name)
			case to >= size:
				return refused("has an entry in its %s that refers to %d, but ends at %d: it is cut off; fetch it again", name, to, size)
			}
			used = append(used, to)
		}
	}
	slices.Sort(used)
	if len(slices.Compact(used)) != len(used) {
		return refused("uses a cluster more than once in its %s: it is damaged", name)
	}
	return nil
}

// readAll fills b from an offset of which the caller has made sure that the file reaches so far.
func readAll(r io.ReaderAt, at uint64, b []byte) error {
	n, err := r.ReadAt(b, int64(at)) //nolint:gosec // within the file
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fault.Because(op, fault.Internal, "", err, "the image's tables cannot be read")
}
