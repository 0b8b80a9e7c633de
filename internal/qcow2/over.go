package qcow2

import (
	"encoding/binary"
	"io"
)

// Over reads the header of an image of size bytes that this cloud has made, and that lies over another QCOW2 image which
// it must name by exactly name. It fails as Whole does, that name aside.
func Over(r io.ReaderAt, size, limit int64, name string) (Header, error) {
	h, err := over(r, size, limit, name)
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

func over(r io.ReaderAt, size, limit int64, name string) (Header, error) {
	h, err := read(r, limit)
	if err != nil {
		return h, err
	}
	// Compared with the length first: what the header claims decides how much is read.
	if h.BackingOffset == 0 || int64(h.BackingBytes) != int64(len(name)) || h.BackingOffset+uint64(len(name)) > uint64(h.ClusterSize) {
		return h, refused("does not lie over the image %s", name)
	}
	named, err := readAt(r, int64(h.BackingOffset), len(name)) //nolint:gosec // within the first cluster
	if err != nil {
		return h, err
	}
	if string(named) != name {
		return h, refused("lies over another image than %s", name)
	}
	alone := h
	alone.BackingOffset, alone.BackingBytes = 0, 0
	if err := alone.checkAlone(); err != nil {
		return h, err
	}
	if err := alone.checkExtensions(r); err != nil {
		return h, err
	}
	if err := alone.checkBackingFormat(r); err != nil {
		return h, err
	}
	return h, alone.checkTables(uint64(size)) //nolint:gosec // not negative
}

// checkBackingFormat walks the header extensions, which checkExtensions took, and refuses any format of the image beneath
// but QCOW2.
func (h Header) checkBackingFormat(r io.ReaderAt) error {
	at := int64(h.length)
	for range extensions {
		b, err := readAt(r, at, 16)
		if err != nil {
			return err
		}
		if at+8 > h.ClusterSize || len(b) < 8 || binary.BigEndian.Uint32(b) == 0 {
			break
		}
		length := binary.BigEndian.Uint32(b[4:])
		if binary.BigEndian.Uint32(b) == extBackingFormat {
			if len(b) < 13 || length != 5 || string(b[8:13]) != "qcow2" {
				return refused("lies over an image whose format is not called qcow2")
			}
			return nil
		}
		at += 8 + (int64(length)+7)/8*8
	}
	return refused("does not say of which format the image is that it lies over")
}
