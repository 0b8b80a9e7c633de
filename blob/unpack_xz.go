package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
)

// The container of xz files (https://tukaani.org/xz/xz-file-format.txt) is read here, and only what it contains by a
// library: that one takes as much memory as a header asks for, up to 4 GiB, before it looks at anything else.

const (
	xzMagic  = "\xfd7zXZ\x00"
	xzFooter = "YZ"
)

var (
	errXZDictionary = errors.New("the dictionary is too large")
	errXZHeader     = errors.New("a header of the xz file is damaged")
	errXZSizes      = errors.New("the xz file says other sizes than it has")
)

// xzReader unpacks an xz file of one or more streams.
type xzReader struct {
	in     *counted
	stream *xzStream // nil between two
	block  *xzBlock  // nil between two
	first  bool      // no stream has begun
	spent  int64     // bytes of dictionaries that were made
	total  int64     // bytes unpacked
}

// xzStream is what is known of the current stream.
type xzStream struct {
	flags  []byte    // how its blocks are checked
	blocks uint64    // that ended
	sizes  hash.Hash // of their sizes: a list of them could be as long as the file
	check  func() hash.Hash
}

func newXZReader(r io.Reader) *xzReader { return &xzReader{in: &counted{r: r}, first: true} }

// Read unpacks into b.
func (x *xzReader) Read(b []byte) (int, error) {
	for {
		if x.block == nil {
			if err := x.next(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := x.block.Read(b)
		x.total += int64(n)
		if err == io.EOF { //nolint:errorlint // the library returns it bare
			err = x.endBlock()
		}
		if n > 0 || err != nil {
			return n, unexpected(err)
		}
	}
}

// next begins the next block, or gets nearer to it. It returns io.EOF at the end of the last stream.
func (x *xzReader) next() error {
	if x.stream == nil {
		return x.beginStream()
	}
	size, err := x.in.byte()
	switch {
	case err != nil:
		return unexpected(err)
	case size == 0:
		return unexpected(x.endStream())
	}
	return unexpected(x.beginBlock(size))
}

// unexpected is err, where the end of the file is no end that may be there.
func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // as it was returned a moment ago
		return io.ErrUnexpectedEOF
	}
	return err
}

// beginStream reads the header of a stream. Zeroes may stand before every one but the first, four at a time.
func (x *xzReader) beginStream() error {
	head := make([]byte, 12)
	for {
		if _, err := io.ReadFull(x.in, head[:4]); err != nil {
			if x.first {
				err = unexpected(err)
			}
			return err
		}
		if x.first || binary.LittleEndian.Uint32(head) != 0 {
			break
		}
	}
	x.first = false
	if _, err := io.ReadFull(x.in, head[4:]); err != nil {
		return unexpected(err)
	}
	flags := head[6:8]
	if string(head[:6]) != xzMagic || crc32.ChecksumIEEE(flags) != binary.LittleEndian.Uint32(head[8:]) || flags[0] != 0 {
		return errXZHeader
	}
	checks := map[byte]func() hash.Hash{
		0:  func() hash.Hash { return nil },
		1:  func() hash.Hash { return crc32.NewIEEE() },
		4:  func() hash.Hash { return crc64.New(crc64.MakeTable(crc64.ECMA)) },
		10: sha256.New,
	}
	check, ok := checks[flags[1]]
	if !ok {
		return fmt.Errorf("the xz file is checked by method %d, which is not known", flags[1])
	}
	x.stream = &xzStream{flags: flags, sizes: sha256.New(), check: check}
	return nil
}

// ended notes the sizes of a block, in bytes.
func (s *xzStream) ended(unpadded, unpacked int64) {
	s.blocks++
	s.sizes.Write(sizesOf(uint64(unpadded), uint64(unpacked))) //nolint:gosec // not negative
}

func sizesOf(unpadded, unpacked uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, unpadded), unpacked)
}

// endStream reads the index and the footer, and compares them with what was there.
func (x *xzReader) endStream() error {
	s := x.stream
	x.stream = nil
	start := x.in.n - 1 // the byte that says so is part of it
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	x.in.also = sum
	err := x.readIndex(s)
	x.in.also = nil
	if err != nil {
		return err
	}
	length := x.in.n - start
	tail := make([]byte, 16) // the sum of the index, and the footer
	if _, err := io.ReadFull(x.in, tail); err != nil {
		return err
	}
	u32 := binary.LittleEndian.Uint32
	if u32(tail) != sum.Sum32() || u32(tail[4:]) != crc32.ChecksumIEEE(tail[8:14]) ||
		!bytes.Equal(tail[12:14], s.flags) || string(tail[14:]) != xzFooter {
		return errXZHeader
	}
	if (int64(u32(tail[8:]))+1)*4 != length+4 {
		return errXZSizes
	}
	return nil
}

func (x *xzReader) readIndex(s *xzStream) error {
	start := x.in.n - 1
	blocks, err := x.in.number()
	if err != nil {
		return err
	}
	if blocks != s.blocks {
		return errXZSizes
	}
	sizes := sha256.New()
	for range blocks {
		unpadded, err := x.in.number()
		if err != nil {
			return err
		}
		unpacked, err := x.in.number()
		if err != nil {
			return err
		}
		sizes.Write(sizesOf(unpadded, unpacked))
	}
	if !bytes.Equal(sizes.Sum(nil), s.sizes.Sum(nil)) {
		return errXZSizes
	}
	return x.in.padding(x.in.n - start)
}
