package artifact

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/shakenfist/shakenfist/fault"
)

// Bounds of what describes an image. Registries need not take larger manifests: OCI distribution 1.1, "Pushing manifests".
const (
	maxManifest = 4 << 20 // bytes
	maxLayers   = 512
	maxNesting  = 3 // lists of images, one in the other
)

// manifest describes an image, or lists images.
type manifest struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	Layers        []v1.Descriptor `json:"layers"`
	Manifests     []v1.Descriptor `json:"manifests"`

	digest string // of the bytes it came in
}

// resolve returns the manifest of the image for the machines that guests are: linux/amd64.
func (r *registry) resolve(ctx context.Context) (*manifest, error) {
	which := r.image.Identifier()
	for range maxNesting {
		_, byDigest := r.image.(name.Digest)
		m, err := r.manifest(ctx, which, byDigest || which != r.image.Identifier())
		if err != nil {
			return nil, err
		}
		if len(m.Manifests) == 0 {
			return m, r.check(m)
		}
		if which, err = m.pick(); err != nil {
			return nil, err
		}
	}
	return nil, refuseImage("the image is a list of lists of images, more than %d of them", maxNesting)
}

// manifest asks for a manifest and holds it to its digest, if it was asked for by that.
func (r *registry) manifest(ctx context.Context, which string, byDigest bool) (*manifest, error) {
	accept := []string{
		string(types.OCIImageIndex), string(types.OCIManifestSchema1),
		string(types.DockerManifestList), string(types.DockerManifestSchema2),
	}
	resp, err := r.get(ctx, "manifests", which, http.Header{"Accept": {strings.Join(accept, ",")}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxManifest+1))
	if err != nil {
		return nil, fault.Because("fetch image", fault.Unavailable, "", err, "the connection broke in the midst of a manifest")
	}
	if len(text) > maxManifest {
		return nil, refuseImage("the manifest of the image has more than %d bytes", maxManifest)
	}
	m := &manifest{}
	if m.digest, err = digestOf(text, which, byDigest); err != nil {
		return nil, err
	}
	if json.Unmarshal(text, m) != nil {
		return nil, refuseImage("the registry answered with something that is no manifest: check the URL")
	}
	switch {
	case m.SchemaVersion != 2:
		return nil, refuseImage("the manifest of the image is of version %d; only 2 is understood: push the image anew", m.SchemaVersion)
	case len(m.Manifests) > 0 && len(m.Layers) > 0:
		return nil, refuseImage("the manifest is both of an image and of a list of images")
	}
	return m, nil
}

// digestOf returns the digest of a manifest. It fails if it is not the one that was asked for.
func digestOf(text []byte, which string, byDigest bool) (string, error) {
	algorithm, _, _ := strings.Cut(which, ":")
	if !byDigest {
		algorithm = "sha256"
	}
	sum, err := v1.Hasher(algorithm)
	if err != nil {
		return "", refuseImage("the digest %.80s of a manifest is of a kind that is not known here; sha256 and sha512 are", which)
	}
	_, _ = sum.Write(text) // hashes don't fail
	got := hashText(algorithm, sum)
	if byDigest && got != which {
		return "", fault.New("fetch image", fault.Unavailable, "", "the manifest that came has the digest %s, not %s", got, which)
	}
	return got, nil
}

// pick returns the digest of the one image that a list has for linux/amd64, or of the list in it that may have one.
func (m *manifest) pick() (string, error) {
	var found []v1.Descriptor
	for _, d := range m.Manifests {
		if p := d.Platform; p != nil && p.OS == "linux" && p.Architecture == "amd64" {
			return d.Digest.String(), nil
		} else if p == nil {
			found = append(found, d)
		}
	}
	if len(found) == 1 {
		return found[0].Digest.String(), nil
	}
	return "", refuseImage("the image comes for %d platforms, and linux/amd64 is not one of them", len(m.Manifests))
}

// check refuses an image by what its manifest says.
func (r *registry) check(m *manifest) error {
	if len(m.Layers) == 0 || len(m.Layers) > maxLayers {
		return refuseImage("the image has %d layers; a disk is in one of 1 to %d", len(m.Layers), maxLayers)
	}
	sum := int64(0)
	for _, d := range m.Layers {
		if d.Size < 0 || d.Size > r.limit-sum {
			return refuseImage("the layers of the image have more than %d bytes, which is as much as is allowed", r.limit)
		}
		sum += d.Size
	}
	return nil
}
