package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/internal/cli"
	"github.com/shakenfist/shakenfist/server"
	"github.com/shakenfist/shakenfist/simulation"
)

// newRegistry returns a container registry. What is below private/ in it is for the user who with the password hush.
func newRegistry() http.Handler {
	all := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if strings.HasPrefix(r.URL.Path, "/v2/private/") && (user != "who" || password != "hush") {
			w.Header().Set("WWW-Authenticate", `Basic realm="disks"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		all.ServeHTTP(w, r)
	})
}

// site is a cloud at an address of its own.
type site struct {
	t     *testing.T
	cloud *shakenfist.Cloud
	url   string
}

func newSite(t *testing.T) *site {
	t.Helper()
	c := simulation.New().Config()
	c.Node, c.Dir, c.HashCost = "node-1", t.TempDir(), bcrypt.MinCost
	c.ImageURL, c.HTTPClient = "http://images.example", &http.Client{Transport: newImages()}
	cloud, err := shakenfist.New(c)
	require.NoError(t, err)
	stop := cloud.Start(t.Context())
	t.Cleanup(func() { require.NoError(t, stop()) })
	require.NoError(t, cloud.Ready(t.Context()))
	require.NoError(t, cloud.Namespaces.SetKey(t.Context(), "system", "deploy", "s3cret", false))
	front := httptest.NewServer(server.New(cloud, server.Options{}))
	t.Cleanup(front.Close)
	return &site{t: t, cloud: cloud, url: front.URL}
}

// run runs the program and returns what it says.
func (s *site) run(args ...string) string {
	s.t.Helper()
	var out, trouble bytes.Buffer
	code := cli.Main(append([]string{"--apiurl", s.url, "--namespace", "system", "--key", "s3cret"}, args...), strings.NewReader(""), &out, &trouble)
	require.Zero(s.t, code, "%v: %s", args, trouble.String())
	return strings.TrimSpace(out.String())
}

// newest returns the checksum of the newest version of an artifact.
func (s *site) newest(a artifact.Artifact) string {
	s.t.Helper()
	b, err := s.cloud.Blobs.Get(s.t.Context(), a.Versions[len(a.Versions)-1].Blob)
	require.NoError(s.t, err)
	return b.SHA512
}

func TestWhatOneCloudPushesAnotherFetches(t *testing.T) {
	t.Parallel()
	here, there := newSite(t), newSite(t)
	shelf := httptest.NewServer(newRegistry())
	t.Cleanup(shelf.Close)
	for _, p := range []struct{ source, packing string }{{"base.qcow2", ""}, {"base.qcow2", "gzip"}, {"base.raw", ""}} {
		id := here.run("-o", "name", "artifact", "cache", "http://images.example/"+p.source, "--wait")
		given, err := here.cloud.Artifacts.Get(t.Context(), id)
		require.NoError(t, err)
		image := "oci://" + strings.TrimPrefix(shelf.URL, "http://") + "/disks/" + p.source + ":v" + p.packing
		digest := here.run("-o", "name", "artifact", "push", id, image, "--compression", p.packing)
		require.Contains(t, digest, "/disks/"+p.source+"@sha256:")
		got, err := there.cloud.Artifacts.Get(t.Context(), there.run("-o", "name", "artifact", "cache", digest, "--wait"))
		require.NoError(t, err)
		require.Equal(t, artifact.Created, got.State, got.Error)
		require.Equal(t, here.newest(given), there.newest(got))
	}
}

// A registry that fails for a moment is asked again, from the beginning of the layer.
func TestAPushIsTriedAgain(t *testing.T) {
	t.Parallel()
	here := newSite(t)
	id := here.run("-o", "name", "artifact", "cache", "http://images.example/base.qcow2", "--wait")
	all, failures := newRegistry(), 0
	shelf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch && failures < 2 {
			failures++
			_, _ = io.CopyN(io.Discard, r.Body, 100_000)
			if failures == 1 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		all.ServeHTTP(w, r)
	}))
	t.Cleanup(shelf.Close)
	image := "oci://" + strings.TrimPrefix(shelf.URL, "http://") + "/disks/base:1"
	require.Contains(t, here.run("artifact", "push", id, image), "Push complete")
	require.Equal(t, 2, failures)
	got, err := here.cloud.Artifacts.Get(t.Context(), here.run("-o", "name", "artifact", "cache", image, "--wait"))
	require.NoError(t, err)
	given, err := here.cloud.Artifacts.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, here.newest(given), here.newest(got))
}
