// Package foreign reads and judges the headers of disk images that other hypervisors use: VMDK, VDI and VHD. It is the one
// place that knows them.
//
// It opens nothing but the reader it is given, and takes only images that are one file which needs no other: what a header
// names is reported, never followed. Every size and offset that a header claims is checked against the file and the limit
// before it is used, and so is where each block lies, since a few blocks that are used again and again would be a small
// file that is large when unpacked.
package foreign

import (
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/shakenfist/shakenfist/fault"
)

// Image is what the header of an image says.
type Image struct {
	Size    int64  // virtual size in bytes
	Block   int64  // bytes in which room is given to it; 0 if it has all of it
	Variant string // "monolithicSparse" or "streamOptimized" of a VMDK; "dynamic" or "static" of a VDI, "dynamic" or "fixed" of a VHD
}

const (
	sector     = 512     // bytes
	maxEntries = 1 << 24 // of a table of blocks: 16 TiB in blocks of 1 MiB
	chunk      = 64 << 10
)

// kind names a format in errors.
type kind string

// refused is the error for an image that cannot be used. Nothing that was read is quoted but numbers: the bytes may come
// from where only this host can read.
func (k kind) refused(format string, args ...any) error {
	return fault.New(k.op(), fault.Invalid, "", "this "+string(k)+" image "+format, args...)
}

func (k kind) op() string { return "foreign." + string(k) }

// readAt returns n bytes at an offset. It fails with fault.Invalid if a file of size bytes does not reach so far, and with
// fault.Internal if it cannot be read.
func (k kind) readAt(r io.ReaderAt, size int64, what string, at, n uint64) ([]byte, error) {
	if at > uint64(size) || n > uint64(size)-at { //nolint:gosec // sizes are not negative
		return nil, k.refused("has its %s of %d bytes at %d, but ends at %d: it is cut off; fetch it again", what, n, at, size)
	}
	b := make([]byte, n)
	if got, err := r.ReadAt(b, int64(at)); uint64(got) < n { //nolint:gosec // within the file
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fault.Because(k.op(), fault.Internal, "", err, "the image's %s cannot be read", what)
	}
	return b, nil
}

// entries yields the 32 bit numbers of a table, with an error last if it cannot be read. It holds a part of it at a time.
func (k kind) entries(r io.ReaderAt, size int64, what string, at, count uint64, order binary.ByteOrder) iter.Seq2[uint32, error] {
	return func(yield func(uint32, error) bool) {
		for end := at + count*4; at < end; {
			b, err := k.readAt(r, size, what, at, min(end-at, chunk))
			if err != nil {
				yield(0, err)
				return
			}
			at += uint64(len(b))
			for ; len(b) >= 4; b = b[4:] {
				if !yield(order.Uint32(b), nil) {
					return
				}
			}
		}
	}
}

// checkApart refuses blocks of which two overlap. Each takes length of what at counts in.
func (k kind) checkApart(at []uint32, length uint64) error {
	slices.Sort(at)
	for i := 1; i < len(at); i++ {
		if uint64(at[i])-uint64(at[i-1]) < length {
			return k.refused("uses the same place of its file for more than one block: it is damaged")
		}
	}
	return nil
}

// checkSize judges the virtual size in bytes.
func (k kind) checkSize(size uint64, limit int64) error {
	if size == 0 || size > uint64(limit) { //nolint:gosec // positive
		return k.refused("has a virtual size of %d bytes; 1 to %d are allowed", size, limit)
	}
	return nil
}

// isZero reports whether b has nothing but zeroes.
func isZero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }
