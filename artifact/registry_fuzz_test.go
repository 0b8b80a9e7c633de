package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/shakenfist/shakenfist/fault"
)

// shelved is a transport behind which there is one layer, whatever is asked for.
type shelved []byte

// RoundTrip implements http.RoundTripper.
func (s shelved) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s))
	return w.Result(), nil
}

// FuzzLayer looks for a disk in any bytes: it ends, with a disk that is no larger than it may be, or with a refusal.
func FuzzLayer(f *testing.F) {
	var plain, packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	w := tar.NewWriter(io.MultiWriter(&plain, zipped))
	for _, h := range []tar.Header{
		{Name: "disk/", Typeflag: tar.TypeDir},
		{Name: "disk/.wh.old", Typeflag: tar.TypeReg},
		{Name: "disk/web.img", Typeflag: tar.TypeReg, Size: 512, PAXRecords: map[string]string{"comment": "x"}},
	} {
		_ = w.WriteHeader(&h)
		_, _ = w.Write(make([]byte, h.Size))
	}
	_ = w.Close()
	_ = zipped.Close()
	f.Add(plain.Bytes())
	f.Add(packed.Bytes())
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00, 0x41, 0x00, 0x00, 'h', 'e', 'l', 'l', 'o'})
	image, err := name.NewTag("registry.test/disks/web:1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		const limit = 1 << 16
		r := &registry{image: image, client: &http.Client{Transport: shelved(content)}, limit: limit}
		sum := sha256.Sum256(content)
		d, err := r.disk(t.Context(), []v1.Descriptor{{
			MediaType: "application/vnd.oci.image.layer.v1.tar", Size: int64(len(content)),
			Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])},
		}}, func() {})
		if err == nil {
			var n int64
			n, err = io.Copy(io.Discard, d)
			_ = d.Close()
			if n > limit || d.size > limit || err == nil && n != d.size {
				t.Errorf("a disk of %d bytes has %d", d.size, n)
			}
		}
		if err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("what is not cut off is refused for good: %v", err)
		}
	})
}
