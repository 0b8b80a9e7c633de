package artifact

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/ociref"
)

// registry is a repository in a container registry, as one download uses it.
type registry struct {
	image    name.Reference
	client   *http.Client  // guarded, and logs in
	patience time.Duration // how long a layer that gets no further is asked for
	limit    int64         // bytes that an image may have, unpacked
}

// askRegistry asks a container registry for the disk of an image, or for nothing if the image is still the one that is known.
// The disk is a file in the folder /disk of the image, which is how containers carry disks of virtual machines. The reader's
// end is io.EOF only if all digests are what they should be, from that of the manifest to that of the layer. Alive is called
// whenever bytes came, until askRegistry returns.
func (m *Manager) askRegistry(ctx context.Context, client *http.Client, source string, known origin, alive func()) (*offer, error) {
	ref, err := ociref.Parse(source)
	if err != nil {
		return nil, err
	}
	r := &registry{image: ref.Image, patience: m.Patience, limit: cmp.Or(m.Blobs.Limits.Bytes, blob.MaxBytes)}
	if r.client, err = login(ctx, client, ref); err != nil {
		return nil, err
	}
	image, err := r.resolve(ctx)
	if err != nil {
		return nil, err
	}
	from := origin{URL: source, ETag: image.digest, Length: -1}
	if known.URL == from.URL && known.ETag == from.ETag {
		return nil, nil
	}
	d, err := r.disk(ctx, image.Layers, alive)
	if err != nil {
		return nil, err
	}
	from.Length = d.size
	return &offer{reader: d, size: d.size, from: from}, nil
}

// login returns a client that is logged in to a registry as the registry wants it. Where that sends us to is under guard too.
func login(ctx context.Context, given *http.Client, ref ociref.Reference) (*http.Client, error) {
	repo := ref.Image.Context()
	inner := transport.NewUserAgent(given.Transport, "shakenfist")
	t, err := transport.NewWithContext(ctx, repo.Registry, ref.Login, inner, []string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, registryError(err)
	}
	return &http.Client{Transport: t, CheckRedirect: given.CheckRedirect}, nil
}

// get asks for a manifest or a blob of the repository.
func (r *registry) get(ctx context.Context, what, which string, header http.Header) (*http.Response, error) {
	repo := r.image.Context()
	u := url.URL{Scheme: repo.Scheme(), Host: repo.RegistryStr(), Path: "/v2/" + repo.RepositoryStr() + "/" + what + "/" + which}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, fault.New("fetch image", fault.Invalid, "", "%s cannot be asked for", redact(u.String()))
	}
	req.Header = header
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, registryError(err)
	}
	if resp.StatusCode == http.StatusPartialContent && header.Get("Range") != "" {
		return resp, nil
	}
	if err := statusError(resp, false); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// registryError sorts why there is no answer. What a registry says of it is not repeated: an image's source may be something
// that only this host can ask.
func registryError(err error) error {
	const op = "fetch image"
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known // by the guard, or the redirect policy
	}
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		status := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
		return statusError(&http.Response{StatusCode: answer.StatusCode, Status: status}, false)
	}
	var network net.Error
	if _, ok := errors.AsType[*url.Error](err); ok || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return connectionError(err)
	}
	return fault.New(op, fault.Invalid, "", "the registry wants a login of a kind that is not understood, or sends us to log in where that is not allowed")
}

// isTar reports whether layers of a media type are tar files, packed or not.
func isTar(mediaType string) bool {
	return strings.HasSuffix(mediaType, ".tar") || strings.Contains(mediaType, ".tar.") || strings.Contains(mediaType, ".tar+")
}

// hashText returns a digest as manifests write it.
func hashText(algorithm string, sum hash.Hash) string {
	return algorithm + ":" + hex.EncodeToString(sum.Sum(nil))
}
