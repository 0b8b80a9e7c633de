package artifact_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Media types of what a shelf has.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeTar      = "application/vnd.oci.image.layer.v1.tar"
	typeGzip     = typeTar + "+gzip"
	typeZstd     = typeTar + "+zstd"
)

// imageOCI is where the tests' registry has its image.
const imageOCI = "oci+http://registry.test/disks/web:1"

// shelf is a container registry with one repository: what it says is what a test put there, wrong or not.
type shelf struct {
	t         *testing.T
	manifests map[string][]byte // by tag and by digest
	blobs     map[string][]byte // by digest
	asked     []string          // the last parts of the paths of requests
	ranges    []string          // that blobs were asked for
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	return &shelf{t: t, manifests: map[string][]byte{}, blobs: map[string][]byte{}}
}

// ServeHTTP implements http.Handler.
func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, path.Base(r.URL.Path))
	content, ok := []byte(nil), r.URL.Path == "/v2/"
	switch {
	case strings.HasPrefix(r.URL.Path, "/v2/disks/web/manifests/"):
		content, ok = s.manifests[path.Base(r.URL.Path)]
	case strings.HasPrefix(r.URL.Path, "/v2/disks/web/blobs/"):
		content, ok = s.blobs[path.Base(r.URL.Path)]
		s.ranges = append(s.ranges, r.Header.Get("Range"))
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// descriptor is how manifests name what they consist of.
type descriptor struct {
	MediaType string    `json:"mediaType"`
	Digest    string    `json:"digest"`
	Size      int64     `json:"size"`
	Platform  *platform `json:"platform,omitempty"`
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// layer puts a layer there.
func (s *shelf) layer(mediaType string, content []byte) descriptor {
	s.blobs[digestOf(content)] = content
	return descriptor{MediaType: mediaType, Digest: digestOf(content), Size: int64(len(content))}
}

// image puts an image of layers, the top one last, under a tag.
func (s *shelf) image(tag string, layers ...descriptor) descriptor {
	return s.manifest(tag, map[string]any{"schemaVersion": 2, "mediaType": typeManifest, "layers": layers})
}

// index puts a list of images under a tag.
func (s *shelf) index(tag string, images ...descriptor) descriptor {
	d := s.manifest(tag, map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": images})
	d.MediaType = typeIndex
	return d
}

func (s *shelf) manifest(tag string, value any) descriptor {
	text, err := json.Marshal(value)
	require.NoError(s.t, err)
	s.manifests[tag], s.manifests[digestOf(text)] = text, text
	return descriptor{MediaType: typeManifest, Digest: digestOf(text), Size: int64(len(text))}
}

// has puts an image of one layer, unpacked, under the tag 1.
func (s *shelf) has(entries ...entry) { s.image("1", s.layer(typeTar, tarOf(s.t, entries...))) }

// entry is a part of a layer.
type entry struct {
	tar.Header
	content []byte
}

// file is a regular file in a layer.
func file(name string, content []byte) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o444, Size: int64(len(content))}, content: content}
}

// link is an entry of a kind that has no content.
func link(kind byte, name, target string) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: kind, Linkname: target}}
}

func tarOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		require.NoError(t, w.WriteHeader(&e.Header))
		_, err := w.Write(e.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}
