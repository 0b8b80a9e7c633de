package blob

import (
	"errors"
	"hash"
	"io"
)

// counted reads, and counts what was read.
type counted struct {
	r    io.Reader
	n    int64     // bytes so far
	also hash.Hash // gets them too; nil if nobody does
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	if c.also != nil {
		c.also.Write(b[:n])
	}
	return n, err
}

func (c *counted) byte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(c, b[:])
	return b[0], err
}

// number reads a number of one to nine bytes, of seven bits each, the low ones first.
func (c *counted) number() (uint64, error) {
	var v uint64
	for shift := 0; shift < 63; shift += 7 {
		b, err := c.byte()
		if err != nil {
			return 0, err
		}
		if v |= uint64(b&0x7f) << shift; b&0x80 == 0 {
			if b == 0 && shift > 0 {
				break // it could be said in fewer
			}
			return v, nil
		}
	}
	return 0, errors.New("a number in the xz file is longer than it may be")
}

// padding reads the zeroes that follow n bytes up to a multiple of four.
func (c *counted) padding(n int64) error {
	for range (4 - n%4) % 4 {
		b, err := c.byte()
		if err != nil {
			return err
		}
		if b != 0 {
			return errXZHeader
		}
	}
	return nil
}
