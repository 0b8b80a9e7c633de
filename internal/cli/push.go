package cli

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/stream"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/ociref"
)

// packings are the ways to pack a layer.
var packings = map[string]struct {
	mediaType types.MediaType
	pack      func(w io.Writer) (io.WriteCloser, error)
}{
	"none": {types.OCIUncompressedLayer, func(w io.Writer) (io.WriteCloser, error) { return unpacked{w}, nil }},
	"gzip": {types.OCILayer, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) }},
	"zstd": {types.OCILayerZStd, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w, zstd.WithEncoderConcurrency(2)) }},
}

// unpacked packs nothing.
type unpacked struct{ io.Writer }

func (unpacked) Close() error { return nil }

// push is a blob on its way from the cloud to a container registry.
type push struct {
	app     *app
	client  *client.Client
	blob    api.Blob
	name    string // of the artifact, for people
	packing string // "" for what suits the content
	ref     name.Reference
	options []remote.Option
}

// run sends what the registry lacks, and returns the digest of the image and whether anything had to be sent.
func (p *push) run(ctx context.Context) (v1.Hash, bool, error) {
	if p.packing == "" {
		p.packing = "none"
		if imageOf(p.blob).FileFormat == "raw" {
			p.packing = "zstd"
		}
	}
	l := &diskLayer{ctx: ctx, push: p, mediaType: packings[p.packing].mediaType}
	said := annotations(p.blob)
	if digest, there := p.isThere(said, string(l.mediaType)); there {
		return digest, false, nil
	}
	if err := remote.WriteLayer(p.ref.Context(), l, p.options...); err != nil {
		return v1.Hash{}, false, l.cause(err)
	}
	image, err := imageFrom(l, said)
	if err != nil {
		return v1.Hash{}, false, err
	}
	if err := remote.Write(p.ref, image, p.options...); err != nil {
		return v1.Hash{}, false, err
	}
	digest, err := image.Digest()
	return digest, true, err
}

// imageFrom returns an image that has nothing but a layer. The same layer makes the same image, whenever that is.
func imageFrom(l v1.Layer, annotations map[string]string) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return nil, err
	}
	mediaType, err := l.MediaType()
	if err != nil {
		return nil, err
	}
	if image, err = mutate.Append(image, mutate.Addendum{Layer: l, MediaType: mediaType}); err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(image, annotations).(v1.Image)
	if !ok {
		return nil, errors.New("an image with annotations is none")
	}
	return annotated, nil
}

// fileOf returns what the disk is called in the image.
func fileOf(b api.Blob) string {
	switch format := imageOf(b).FileFormat; format {
	case "", "raw":
		return "disk.img"
	default:
		return "disk." + path.Base(format)
	}
}

// diskLayer is a layer with a blob as its only file. It is made anew, from the cloud, each time that it is read; its digest
// is known when it was read to its end.
type diskLayer struct {
	ctx       context.Context //nolint:containedctx // lives as long as one push
	push      *push
	mediaType types.MediaType

	mu     sync.Mutex // guards what follows
	digest v1.Hash
	diffID v1.Hash
	size   int64 // bytes; 0 if it was not read yet
	failed error // of the cloud
}

// Digest implements v1.Layer.
func (l *diskLayer) Digest() (v1.Hash, error) { return computed(l, func() v1.Hash { return l.digest }) }

// DiffID implements v1.Layer.
func (l *diskLayer) DiffID() (v1.Hash, error) { return computed(l, func() v1.Hash { return l.diffID }) }

// Size implements v1.Layer.
func (l *diskLayer) Size() (int64, error) { return computed(l, func() int64 { return l.size }) }

func computed[T any](l *diskLayer, value func() T) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size == 0 {
		var none T
		return none, stream.ErrNotComputed
	}
	return value(), nil
}

// MediaType implements v1.Layer.
func (l *diskLayer) MediaType() (types.MediaType, error) { return l.mediaType, nil }

// Uncompressed implements v1.Layer. Nobody asks for it.
func (l *diskLayer) Uncompressed() (io.ReadCloser, error) {
	return nil, errors.New("the layer is read as it is sent")
}

// Compressed implements v1.Layer.
func (l *diskLayer) Compressed() (io.ReadCloser, error) {
	r, w := io.Pipe()
	f := &sending{PipeReader: r, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(l.ctx)
	f.cancel = cancel
	go func() {
		defer close(f.done)
		err := l.write(ctx, w)
		_ = w.CloseWithError(err) // cannot fail
	}()
	return f, nil
}

// sending is a layer while it is read, which is while it is sent.
type sending struct {
	*io.PipeReader

	cancel context.CancelFunc
	done   chan struct{}
}

// Close implements io.Closer. Nothing is asked of the cloud any more once it has returned.
func (f *sending) Close() error {
	f.cancel()
	err := f.PipeReader.Close()
	<-f.done
	return err
}

// write writes the layer to w, and keeps what was learned of it if that was all.
func (l *diskLayer) write(ctx context.Context, w io.Writer) error {
	l.fail(nil)
	sent, plain := sha256.New(), sha256.New()
	count := &counter{}
	packed, err := packings[l.push.packing].pack(io.MultiWriter(w, sent, count))
	if err != nil {
		return err
	}
	var to io.Writer = packed
	if l.push.packing != "none" {
		to = io.MultiWriter(packed, plain)
	}
	if err := errors.Join(l.tar(ctx, to), packed.Close()); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digest, l.size = hashOf(sent), count.n
	if l.diffID = l.digest; l.push.packing != "none" {
		l.diffID = hashOf(plain)
	}
	return nil
}

// qemu is the user, and the group, as whom KubeVirt's guests run.
const qemu = 107

// tar writes a tar file with the blob in it. All of it but the blob is always the same.
func (l *diskLayer) tar(ctx context.Context, w io.Writer) error {
	b := l.push.blob
	t := tar.NewWriter(w)
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(ociref.Folder, "/") + "/" + fileOf(b), Size: b.Size, Mode: 0o440,
		Uid: qemu, Gid: qemu, ModTime: time.Unix(0, 0),
	}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	line := l.push.app.transfer(l.push.name, b.Size, 0)
	defer line.clear()
	if _, err := l.push.client.DownloadBlob(ctx, b.UUID, io.MultiWriter(t, line), client.DownloadOptions{}); err != nil {
		l.fail(err)
		return err
	}
	return t.Close()
}

// fail keeps why the cloud does not give the blob, if it is that.
func (l *diskLayer) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
}

// cause returns why the cloud did not give the blob, if that is why a push failed.
func (l *diskLayer) cause(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil && !errors.Is(l.failed, io.ErrClosedPipe) && !errors.Is(l.failed, context.Canceled) {
		return l.failed
	}
	return err
}

// cloudError returns the error of the cloud in err; nil if there is none.
func cloudError(err error) error {
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known
	}
	return nil
}

func hashOf(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}
