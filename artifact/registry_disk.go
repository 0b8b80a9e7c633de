package artifact

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"

	"github.com/shakenfist/shakenfist/fault"
)

// maxWindow bounds the memory that unpacking takes, in bytes: as much as zstd --long=27 asks for.
const maxWindow = 128 << 20

// disk reads the disk of a virtual machine out of a layer. It is an io.ReadCloser.
type disk struct {
	layer  *layer
	packed io.ReadCloser // the layer's tar file
	files  *tar.Reader   // stands in the disk
	tree   *tree
	name   string
	size   int64 // bytes
	err    error // how it ended
}

// disk looks for the disk in the layers from the top down, and returns a reader of it that stands at its beginning.
func (r *registry) disk(ctx context.Context, layers []v1.Descriptor, alive func()) (*disk, error) {
	t := &tree{limit: r.limit, hidden: map[string]bool{}}
	left := r.limit + 1<<20 // what surrounds a disk in a layer
	for n := len(layers) - 1; n >= 0 && !t.opaque; n-- {
		if !isTar(string(layers[n].MediaType)) {
			return nil, refuseImage("a layer of the image is of the type %.80q; disks are in layers that are tar files", layers[n].MediaType)
		}
		l, err := r.layer(ctx, layers[n])
		if err != nil {
			return nil, err
		}
		beneath := t.clone()
		d := &disk{layer: l, tree: t}
		h, err := d.find(&left, r.limit, alive, beneath)
		if err == nil {
			d.name, d.size = h.Name, h.Size
			return d, nil
		}
		_ = d.Close()
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		t = beneath
	}
	return nil, refuseImage("the image has no file in the folder /disk: it is no disk of a virtual machine")
}

// find opens the layer and goes to the disk in it. It returns io.EOF if the whole layer has none.
func (d *disk) find(left *int64, limit int64, alive func(), beneath *tree) (*tar.Header, error) {
	heard := &listened{r: d.layer, alive: alive}
	packed, err := unpack(heard)
	if err != nil {
		return nil, d.damaged(err)
	}
	d.packed = packed
	d.files = tar.NewReader(ration{r: packed, left: left, limit: limit})
	h, err := d.tree.next(d.files, beneath)
	heard.alive = nil
	switch {
	case err == nil:
		return h, nil
	case errors.Is(err, io.EOF):
		return nil, d.whole()
	case isRefused(err):
		return nil, err
	}
	return nil, d.damaged(err)
}

// Read implements io.Reader.
func (d *disk) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.files.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		d.err = d.end()
	case isRefused(err):
		d.err = err
	default:
		d.err = d.damaged(err)
	}
	return n, d.err
}

// end looks at what follows the disk in its layer. It returns io.EOF if there is no second disk, and all of the layer is
// what its digest says.
func (d *disk) end() error {
	h, err := d.tree.next(d.files, d.tree.clone())
	switch {
	case err == nil:
		return refuseImage("the image has two files in the folder /disk, %.80q and %.80q: which is the disk cannot be told", d.name, h.Name)
	case errors.Is(err, io.EOF):
		return d.whole()
	case isRefused(err):
		return err
	}
	return d.damaged(err)
}

// whole reads the layer to its end and returns io.EOF if it is what its digest says. What follows the tar file in it is
// nobody's.
func (d *disk) whole() error {
	_, err := io.Copy(io.Discard, d.layer)
	if err == nil {
		err = io.EOF
	}
	return err
}

// damaged says why a layer can't be read: because the registry failed, because the layer is not what its digest says, or, if
// it is, for its content.
func (d *disk) damaged(err error) error {
	if d.layer.err != nil && !errors.Is(d.layer.err, io.EOF) {
		return d.layer.err
	}
	if isRefused(err) {
		return err
	}
	if end := d.whole(); !errors.Is(end, io.EOF) {
		return end
	}
	return fault.New("fetch image", fault.Invalid, "", "a layer of the image is no tar file that could be read, packed or not: push the image anew")
}

// Close implements io.Closer.
func (d *disk) Close() error {
	d.layer.close()
	if d.packed != nil {
		return d.packed.Close()
	}
	return nil
}

// unpack returns the content of a layer, which is packed by gzip, by zstd or not at all, whatever its media type says.
func unpack(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 1<<18)
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(b)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

// listened says when bytes come.
type listened struct {
	r     io.Reader
	alive func() // nil for nobody
}

func (l *listened) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if n > 0 && l.alive != nil {
		l.alive()
	}
	return n, err
}
