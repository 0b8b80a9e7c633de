package client

import (
	"crypto/sha512"
	"errors"
	"io"
)

// Parts of content on their way: large enough that handing one over costs nothing, and few.
const (
	partBytes = 256 << 10
	parts     = 4
)

// hashing makes the SHA-512 of what is copied while the next part is read and written already: it takes longer than both.
type hashing struct {
	full chan []byte // to be hashed, in order
	free chan []byte
	sum  chan []byte // when full is closed
	got  []byte      // the sum, once it ended
}

// newHashing returns one that hashes until end is called.
func newHashing() *hashing {
	h := &hashing{full: make(chan []byte, parts), free: make(chan []byte, parts), sum: make(chan []byte)}
	for range parts {
		h.free <- make([]byte, partBytes)
	}
	go func() {
		sum := sha512.New()
		for part := range h.full {
			sum.Write(part)
			h.free <- part[:cap(part)]
		}
		h.sum <- sum.Sum(nil)
	}()
	return h
}

// end returns the sum of what was copied. Nothing may be copied any more; calling it twice is fine.
func (h *hashing) end() []byte {
	if h.got == nil {
		close(h.full)
		h.got = <-h.sum
	}
	return h.got
}

// copy is io.Copy, and the sum is that of what was written. It is for one goroutine.
func (h *hashing) copy(w io.Writer, r io.Reader) (copied int64, err error) {
	for {
		part := <-h.free
		n, reading := r.Read(part)
		written := 0
		if n > 0 {
			written, err = w.Write(part[:n])
		}
		copied += int64(written)
		h.full <- part[:written]
		switch {
		case err != nil:
			return copied, err
		case written < n:
			return copied, io.ErrShortWrite
		case errors.Is(reading, io.EOF):
			return copied, nil
		case reading != nil:
			return copied, reading
		}
	}
}
