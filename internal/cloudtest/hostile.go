package cloudtest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/hostileimage"
)

// RefusesHostileImages hands the cloud each hostile image by URL, by upload and by a container registry, and insists that it
// is refused with its reason. The images name the file canary. The cloud must take no image larger than
// hostileimage.Unpacked. Unless all is true each image takes only one of the ways, and each way gets a third of them. It
// returns how many images there were.
func RefusesHostileImages(ctx context.Context, t testing.TB, c *client.Client, canary string, all bool) int {
	t.Helper()
	images := hostileimage.All(canary)
	source := httptest.NewServer(hostileSource(images))
	defer source.Close()
	work, group := errgroup.WithContext(ctx)
	work.SetLimit(8)
	for n, i := range images {
		number := strconv.Itoa(n)
		for w, way := range []struct {
			name string
			hand func() (string, error)
		}{
			{"by URL", func() (string, error) { return refusedFetch(group, c, source.URL+"/images/"+number) }},
			{"by upload", func() (string, error) { return refusedUpload(group, c, "hostile-"+number, i.Bytes) }},
			{"by a registry", func() (string, error) {
				return refusedFetch(group, c, strings.Replace(source.URL, "http://", "oci+http://", 1)+"/hostile/"+number+":1")
			}},
		} {
			if !all && n%3 != w {
				continue
			}
			work.Go(func() error {
				said, err := way.hand()
				if err != nil {
					return fmt.Errorf("%s, %s: %w", i.Name, way.name, err)
				}
				if !strings.Contains(said, i.Reason) || strings.Contains(said, canary) {
					t.Errorf("%s, %s: it says %q, want the reason %q and no file's name", i.Name, way.name, said, i.Reason)
				}
				return nil
			})
		}
	}
	require.NoError(t, work.Wait())
	blobs, err := c.ListBlobs(ctx, "")
	require.NoError(t, err)
	require.Empty(t, blobs)
	return len(images)
}

// refusedFetch has an image fetched and returns what the events say of why it is not there. An artifact that is there is an
// error.
func refusedFetch(ctx context.Context, c *client.Client, url string) (string, error) {
	a, err := c.CreateArtifact(ctx, api.CreateArtifact{URL: url})
	if err != nil {
		return "", err
	}
	err = until(ctx, func() (bool, error) {
		a, err = c.GetArtifact(ctx, a.UUID)
		return a.State != api.StateInitial, err
	})
	if err != nil {
		return "", err
	}
	if a.State != api.StateError {
		return "", fmt.Errorf("its artifact is %s", a.State)
	}
	events, err := c.ArtifactEvents(ctx, a.UUID, api.EventQuery{})
	if err != nil {
		return "", err
	}
	var said strings.Builder
	for _, e := range events {
		if e.Type != "audit" { // which tells what was asked for
			fmt.Fprintf(&said, "%s: %v\n", e.Message, e.Extra["error"])
		}
	}
	_, err = c.DeleteArtifact(ctx, a.UUID)
	return said.String(), err
}

// refusedUpload uploads an image, and returns why it does not become an artifact. One that does is an error.
func refusedUpload(ctx context.Context, c *client.Client, name string, content []byte) (string, error) {
	a, err := c.UploadFile(ctx, name, bytes.NewReader(content), int64(len(content)), api.UploadArtifact{}, client.UploadOptions{})
	if err == nil {
		return "", fmt.Errorf("it became artifact %s, which is %s", a.UUID, a.State)
	}
	if !errors.Is(err, fault.Invalid) {
		return "", err
	}
	return fault.Text(err), nil
}

// hostileSource serves images at /images/<number>, and as repositories hostile/<number> of a container registry, whose only
// layer has the image as its disk.
type hostileSource []hostileimage.Image

// ServeHTTP implements http.Handler.
func (s hostileSource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	content := []byte("{}")
	w.Header().Set("Content-Type", "application/octet-stream")
	switch {
	case r.URL.Path == "/v2/":
	case len(parts) == 2 && parts[0] == "images":
		content = s.image(parts[1]).Bytes
	case len(parts) == 5 && parts[3] == "blobs":
		content = s.layer(parts[2])
	case len(parts) == 5 && parts[3] == "manifests":
		content = s.manifest(parts[2])
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", digest(content))
	default:
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, bytes.NewReader(content))
}

func (s hostileSource) image(number string) hostileimage.Image {
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(s) {
		return hostileimage.Image{}
	}
	return s[n]
}

func (s hostileSource) layer(number string) []byte {
	content := s.image(number).Bytes
	var b bytes.Buffer
	w := tar.NewWriter(&b) // a buffer takes everything
	_ = w.WriteHeader(&tar.Header{Name: "disk/disk.img", Typeflag: tar.TypeReg, Mode: 0o444, Size: int64(len(content))})
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

func (s hostileSource) manifest(number string) []byte {
	layer := s.layer(number)
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	text, _ := json.Marshal(map[string]any{ // of plain values
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"layers": []descriptor{{"application/vnd.oci.image.layer.v1.tar", digest(layer), len(layer)}},
	})
	return text
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
