package segment

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
	"sort"
	"sync/atomic"
)

// A closed file is its magic, the records by hash of the object, object and ID, an index with an entry for each block of
// records, and a footer. An index entry is the hash of the block's first record and its offset, eight bytes and four.
const (
	magic       = "sfevent1"
	blockBytes  = 4 << 10 // a block ends with the record that reaches this
	indexBytes  = 12
	footerBytes = 8 + 4 + 4 + 4 + 8 + 8 + 4 + 8
)

// footer ends a closed file.
type footer struct {
	indexAt  int64
	blocks   uint32
	indexCRC uint32
	records  uint32
	span
}

func (f footer) encode(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(f.indexAt)) //nolint:gosec // the same bits
	b = binary.BigEndian.AppendUint32(b, f.blocks)
	b = binary.BigEndian.AppendUint32(b, f.indexCRC)
	b = binary.BigEndian.AppendUint32(b, f.records)
	b = binary.BigEndian.AppendUint64(b, uint64(f.oldest)) //nolint:gosec // the same bits
	b = binary.BigEndian.AppendUint64(b, uint64(f.newest)) //nolint:gosec // the same bits
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
	return append(b, magic...)
}

// decodeFooter reads the footer at the end of a file of size bytes. It fails unless everything it says is possible.
func decodeFooter(b []byte, size int64) (footer, error) {
	if len(b) != footerBytes || string(b[footerBytes-8:]) != magic ||
		crc32.Checksum(b[:footerBytes-12], castagnoli) != binary.BigEndian.Uint32(b[footerBytes-12:]) {
		return footer{}, errors.New("the footer is damaged")
	}
	f := footer{
		indexAt: int64(binary.BigEndian.Uint64(b)), //nolint:gosec // checked below
		blocks:  binary.BigEndian.Uint32(b[8:]), indexCRC: binary.BigEndian.Uint32(b[12:]), records: binary.BigEndian.Uint32(b[16:]),
		span: span{int64(binary.BigEndian.Uint64(b[20:])), int64(binary.BigEndian.Uint64(b[28:]))}, //nolint:gosec // the same bits
	}
	if f.indexAt < int64(len(magic)) || f.indexAt > size || f.indexAt+int64(f.blocks)*indexBytes+footerBytes != size {
		return footer{}, errors.New("the file does not have the length that its footer says")
	}
	return f, nil
}

// segment is a closed file. Nothing of it but this is held in memory.
type segment struct {
	file
	number int
	footer
	said atomic.Bool // that a part of it is damaged
}

func openSegment(path string, number int) (*segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &segment{file: file{path, info.Size()}, number: number}
	s.footer, err = readFooter(f, info.Size())
	return s, err
}

func readFooter(f io.ReaderAt, size int64) (footer, error) {
	if size < int64(len(magic))+footerBytes {
		return footer{}, errors.New("the file is too short")
	}
	b := make([]byte, footerBytes)
	if _, err := f.ReadAt(b, size-footerBytes); err != nil {
		return footer{}, err
	}
	return decodeFooter(b, size)
}

// index are the entries of the blocks of a closed file.
type index []byte

func readIndex(f io.ReaderAt, about footer) (index, error) {
	b := make(index, int(about.blocks)*indexBytes)
	if _, err := f.ReadAt(b, about.indexAt); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if crc32.Checksum(b, castagnoli) != about.indexCRC {
		return nil, errors.New("the index is damaged")
	}
	last := int64(0)
	for i := range int(about.blocks) {
		if o := b.offset(i); o <= last || o >= about.indexAt {
			return nil, errors.New("the index names no place within the file")
		}
		last = b.offset(i)
	}
	return b, nil
}

func (x index) hash(i int) uint64  { return binary.BigEndian.Uint64(x[i*indexBytes:]) }
func (x index) offset(i int) int64 { return int64(binary.BigEndian.Uint32(x[i*indexBytes+8:])) }

// first returns the block in which records of the hash begin, if there are any.
func (x index) first(hash uint64) int {
	// The block before the first one that begins with the hash may end with it.
	n := len(x) / indexBytes
	return max(0, sort.Search(n, func(i int) bool { return x.hash(i) >= hash })-1)
}

// encodeSegment returns the closed file of the records that lie in data at these places. A record that is there twice is
// taken once, and one that was damaged meanwhile is left out.
func encodeSegment(data []byte, places []entry) (file []byte, damaged bool) {
	all := make([]sortable, 0, len(places))
	for _, e := range places {
		b := data[e.offset : e.offset+e.length]
		r, _, err := decode(b)
		if err != nil {
			damaged = true
			continue
		}
		all = append(all, sortable{e.hash, r, b})
	}
	slices.SortFunc(all, sortable.compare)
	all = slices.CompactFunc(all, func(a, b sortable) bool { return a.compare(b) == 0 })
	b := append(make([]byte, 0, len(data)+len(data)/256+footerBytes+len(magic)), magic...)
	var x index
	about := footer{records: uint32(len(all))} //nolint:gosec // fewer than bytes
	block := math.MinInt
	for _, s := range all {
		if block < 0 || len(b)-block >= blockBytes {
			block = len(b)
			x = binary.BigEndian.AppendUint64(x, s.hash)
			x = binary.BigEndian.AppendUint32(x, uint32(block)) //nolint:gosec // bounded above
			about.blocks++
		}
		b = append(b, s.bytes...)
		about.add(s.at)
	}
	about.indexAt, about.indexCRC = int64(len(b)), crc32.Checksum(x, castagnoli)
	return about.encode(append(b, x...)), damaged
}
