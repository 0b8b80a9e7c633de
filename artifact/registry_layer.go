package artifact

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/shakenfist/shakenfist/fault"
)

// layer reads a layer as it lies in the registry. When the connection breaks off it asks for the rest, as long as the
// registry gets further now and then. Its end is only io.EOF if all of it was what its digest says.
type layer struct {
	ctx      context.Context //nolint:containedctx // lives as long as one download
	registry *registry
	want     v1.Descriptor
	window   window
	sum      hash.Hash
	body     io.ReadCloser // nil if it has to be asked for
	got      int64         // bytes, all of them in sum
	err      error         // how it ended; io.EOF if it is whole
}

// layer returns the layer of a descriptor. It asks for nothing yet.
func (r *registry) layer(ctx context.Context, d v1.Descriptor) (*layer, error) {
	sum, err := v1.Hasher(d.Digest.Algorithm)
	if err != nil {
		return nil, refuseImage("the digest %.80s of a layer is of a kind that is not known here; sha256 and sha512 are", d.Digest)
	}
	return &layer{ctx: ctx, registry: r, want: d, window: newWindow(r.patience), sum: sum}, nil
}

// Read implements io.Reader.
func (l *layer) Read(p []byte) (int, error) {
	for l.err == nil {
		if l.got == l.want.Size {
			l.err = l.end()
			break
		}
		n, err := l.part(p)
		l.got += int64(n)
		_, _ = l.sum.Write(p[:n]) // hashes don't fail
		if err != nil {
			l.err = l.again(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, l.err
}

// part reads what comes next, over a new connection if there is none.
func (l *layer) part(p []byte) (int, error) {
	if l.body == nil {
		body, err := l.open()
		if err != nil {
			return 0, err
		}
		l.body = body
	}
	n, err := l.body.Read(p[:min(int64(len(p)), l.want.Size-l.got)])
	switch {
	case err == nil:
	case errors.Is(err, io.EOF) && l.got+int64(n) == l.want.Size:
		err = nil
	default:
		err = fault.Because("fetch image", fault.Unavailable, "", err, "the connection broke after %d of %d bytes of a layer", l.got+int64(n), l.want.Size)
	}
	return n, err
}

// open asks for the layer from where it is got. What a registry sends again that can't send parts is left out; whether it
// was the same is for the digest to say.
func (l *layer) open() (io.ReadCloser, error) {
	header := http.Header{}
	if l.got > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", l.got, l.want.Size-1))
	}
	resp, err := l.registry.get(l.ctx, "blobs", l.want.Digest.String(), header)
	if err != nil {
		return nil, err
	}
	from := int64(0)
	if resp.StatusCode == http.StatusPartialContent {
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", l.got)) {
			_ = resp.Body.Close()
			return nil, fault.New("fetch image", fault.Unavailable, "", "the registry sent another part of a layer than it was asked for")
		}
		from = l.got
	}
	if size := resp.ContentLength; size >= 0 && from+size != l.want.Size {
		_ = resp.Body.Close()
		return nil, fault.New("fetch image", fault.Unavailable, "", "the registry has a layer of %d bytes; its manifest says %d", from+size, l.want.Size)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, l.got-from); err != nil {
		_ = resp.Body.Close()
		return nil, fault.Because("fetch image", fault.Unavailable, "", err, "the connection broke again after fewer than %d of %d bytes of a layer", l.got, l.want.Size)
	}
	return resp.Body, nil
}

// again waits until the registry may be asked for the rest; it returns why not if it may not. Where nothing came there is
// nothing to go on from.
func (l *layer) again(err error) error {
	l.close()
	l.window.reached(l.got)
	pause, again := l.window.next(err)
	if !again || l.got == 0 {
		return err
	}
	select {
	case <-time.After(pause):
		return nil
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}

// end compares what came with what was promised.
func (l *layer) end() error {
	defer l.close()
	if l.body != nil {
		// A registry that sends more than it says has something else.
		if n, _ := io.ReadFull(l.body, make([]byte, 1)); n > 0 {
			return fault.New("fetch image", fault.Unavailable, "", "the registry sent more than the %d bytes of a layer", l.want.Size)
		}
	}
	if got := hashText(l.want.Digest.Algorithm, l.sum); got != l.want.Digest.String() {
		return fault.New("fetch image", fault.Unavailable, "", "a layer that came has the digest %s; its manifest says %s", got, l.want.Digest)
	}
	return io.EOF
}

func (l *layer) close() {
	if l.body != nil {
		_ = l.body.Close()
		l.body = nil
	}
}
