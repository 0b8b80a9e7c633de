package blob

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/shakenfist/shakenfist/fault"
)

const (
	packingBytes = 6         // of the beginning tell how content is packed
	xzWindow     = 64 << 20  // bytes of history that an image may need to be unpacked: xz -9 makes none that needs more
	zstdWindow   = 128 << 20 // and zstd none without --long=28 and larger
)

// packing is a way of compressing files that is known by its first bytes.
type packing struct {
	name   string
	magic  string
	unpack func(io.Reader) (io.ReadCloser, error)
}

func packings() []packing {
	all := []packing{
		{"gzip", "\x1f\x8b\x08", unpackGzip},
		{"xz", xzMagic, unpackXZ},
		{"zstd", "\x28\xb5\x2f\xfd", unpackZstd},
	}
	// Parallel compressors begin with a frame that readers skip, which has one of sixteen numbers.
	for n := range 16 {
		all = append(all, packing{"zstd", string(rune(0x50+n)) + "\x2a\x4d\x18", unpackZstd})
	}
	return all
}

// packingOf returns how content that begins with head is packed.
func packingOf(head []byte) (packing, bool) {
	for _, p := range packings() {
		if strings.HasPrefix(string(head), p.magic) {
			return p, true
		}
	}
	return packing{}, false
}

func unpackGzip(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }

func unpackZstd(r io.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

func unpackXZ(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(newXZReader(r)), nil }

// errSource is the error of whoever sends the packed bytes; it is no defect of what was sent.
type errSource struct{ error }

func (e errSource) Unwrap() error { return e.error }

// unpacker unpacks what is written to it, in a goroutine of its own, and writes it to a flow.
type unpacker struct {
	in   *io.PipeWriter
	done chan struct{}
	err  error // valid once done is closed
}

func (p packing) start(to *flow) *unpacker {
	r, w := io.Pipe()
	u := &unpacker{in: w, done: make(chan struct{})}
	go func() {
		defer close(u.done)
		u.err = p.copy(to, r)
		_ = r.CloseWithError(u.err) // always nil
	}()
	return u
}

func (u *unpacker) Write(b []byte) (int, error) { return u.in.Write(b) }

// end says that nothing follows, or why if err is not nil, and waits until all is unpacked.
func (u *unpacker) end(err error) error {
	if err != nil {
		err = errSource{err}
	}
	_ = u.in.CloseWithError(err) // always nil
	<-u.done
	return u.err
}

// copy unpacks everything that r has. It fails with fault.Invalid if that is damaged, goes on after its end, or takes too
// much memory, and with the error of r or of the flow.
func (p packing) copy(to *flow, r io.Reader) (err error) {
	defer func() {
		// One image must not end the process, whatever it does to its reader.
		if v := recover(); v != nil {
			err = p.errDamaged(fmt.Errorf("the reader failed: %v", v))
		}
	}()
	unpacked, err := p.unpack(bufio.NewReaderSize(r, chunkBytes))
	if err != nil {
		return p.explain(err)
	}
	defer unpacked.Close() //nolint:errcheck // only read
	in := &noted{r: unpacked}
	if _, err = to.ReadFrom(in); err != nil && in.err == nil {
		return err // of the flow
	}
	return p.explain(in.err)
}

// noted keeps the error of a reader, which is not EOF.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(b []byte) (int, error) {
	got, err := n.r.Read(b)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return got, err
}

// explain says what an error of a reader of packed bytes means.
func (p packing) explain(err error) error {
	var source errSource
	switch {
	case err == nil:
		return nil
	case errors.As(err, &source):
		return source.error
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return p.errMemory(zstdWindow)
	case errors.Is(err, errXZDictionary):
		return p.errMemory(xzWindow)
	case fault.KindOf(err) == fault.Invalid:
		return err
	}
	return p.errDamaged(err)
}

func (p packing) errMemory(limit int64) error {
	return refused("this %s file needs more than %d MiB of memory to be unpacked: compress the image again, at a lower level or without long ranges",
		p.name, limit>>20)
}

func (p packing) errDamaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refused("this %s file is cut off: fetch it again", p.name)
	}
	return fault.Because(opInspect, fault.Invalid, "", err, "this %s file is damaged, or something follows its end: fetch it again", p.name)
}
