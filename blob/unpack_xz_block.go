package blob

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/ulikunitz/xz/lzma"
)

// xzBlock is what is known of the current block.
type xzBlock struct {
	io.Reader           // unpacks it
	check     hash.Hash // nil if there is none
	header    int64     // its length in bytes
	start     int64     // where the packed bytes begin
	unpacked  int64     // bytes
	packed    uint64    // bytes that its header says; unsaid if it doesn't
	said      uint64    // unpacked bytes that its header says; unsaid if it doesn't
}

const (
	unsaid       = math.MaxUint64
	filterLZMA2  = 0x21
	smallestDict = 4096
)

// beginBlock reads the header of a block, whose first byte tells its length.
func (x *xzReader) beginBlock(first byte) error {
	head := make([]byte, (int(first)+1)*4)
	head[0] = first
	if _, err := io.ReadFull(x.in, head[1:]); err != nil {
		return err
	}
	body, sum := head[:len(head)-4], head[len(head)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return errXZHeader
	}
	b := &xzBlock{header: int64(len(head)), start: x.in.n, check: x.stream.check()}
	dictionary, err := b.read(&counted{r: bytes.NewReader(body[1:])})
	if err != nil {
		return err
	}
	if err := x.afford(dictionary); err != nil {
		return err
	}
	unpack, err := lzma.Reader2Config{DictCap: int(dictionary)}.NewReader2(x.in)
	if err != nil {
		return err
	}
	b.Reader, x.block = unpack, b
	return nil
}

// afford fails if a dictionary of that size must not be made. It is not only one that is too large: a file of a
// thousand tiny blocks asks for a thousand of them.
func (x *xzReader) afford(dictionary int64) error {
	const free, factor = 4 * xzWindow, 64
	if x.spent += dictionary; dictionary > xzWindow || x.spent > free+factor*x.total {
		return errXZDictionary
	}
	return nil
}

// read reads a header after its first byte, and returns how large the dictionary must be, in bytes.
func (b *xzBlock) read(h *counted) (int64, error) {
	flags, err := h.byte()
	if err != nil || flags&0x3c != 0 {
		return 0, errXZHeader
	}
	b.packed, b.said = unsaid, unsaid
	for _, field := range []struct {
		bit byte
		to  *uint64
	}{{0x40, &b.packed}, {0x80, &b.said}} {
		if flags&field.bit != 0 {
			if *field.to, err = h.number(); err != nil {
				return 0, errXZHeader
			}
		}
	}
	filter, err := h.number()
	if err != nil {
		return 0, errXZHeader
	}
	if flags&3 != 0 || filter != filterLZMA2 {
		return 0, fmt.Errorf("the xz file uses filters other than LZMA2 (first of %d is %#x): compress the image without them", flags&3+1, filter)
	}
	properties := make([]byte, 2) // their number, and the only one there is
	if _, err := io.ReadFull(h, properties); err != nil || properties[0] != 1 || properties[1] > 40 {
		return 0, errXZHeader
	}
	if rest, err := io.ReadAll(h); err != nil || len(bytes.Trim(rest, "\x00")) > 0 {
		return 0, errXZHeader
	}
	return b.dictionary(properties[1]), nil
}

// dictionary is the size in bytes that a property stands for. No block needs more than it unpacks to.
func (b *xzBlock) dictionary(property byte) int64 {
	size := (2 | int64(property)&1) << (property/2 + 11)
	if b.said < uint64(size) { //nolint:gosec // positive
		size = max(int64(b.said), smallestDict) //nolint:gosec // less than size
	}
	return size
}

// Read unpacks into p.
func (b *xzBlock) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.unpacked += int64(n)
	if b.check != nil {
		b.check.Write(p[:n])
	}
	return n, err
}

// endBlock compares what the block said with what it had.
func (x *xzReader) endBlock() error {
	b := x.block
	x.block = nil
	packed := x.in.n - b.start
	if b.packed != unsaid && b.packed != uint64(packed) || b.said != unsaid && b.said != uint64(b.unpacked) { //nolint:gosec // not negative
		return errXZSizes
	}
	if err := x.in.padding(packed); err != nil {
		return err
	}
	var want []byte
	if b.check != nil {
		want = b.check.Sum(nil)
		if len(want) < 32 {
			slices.Reverse(want) // the sums that are numbers are little-endian here
		}
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(x.in, got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("a block of the xz file, %d bytes from its beginning, does not match its checksum", x.total)
	}
	x.stream.ended(b.header+packed+int64(len(want)), b.unpacked)
	return nil
}
