package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/server"
	"github.com/shakenfist/shakenfist/simulation"
)

// TestAgainstACloud runs the scripts in testdata/cloud, each against the real API of a simulated cloud of its own. Every
// script finds an image at $IMAGES/base.raw.
func TestAgainstACloud(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "cloud"),
		Setup: func(e *testscript.Env) error {
			url, err := startCloud(e)
			if err != nil {
				return err
			}
			images := httptest.NewServer(http.HandlerFunc(serveImage))
			e.Defer(images.Close)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TZ", "UTC")
			e.Setenv("GORACE", "atexit_sleep_ms=0") // with -race, each run of sf-client would otherwise end a second late
			e.Setenv("IMAGES", images.URL)
			e.Setenv("SHAKENFIST_API_URL", url)
			e.Setenv("SHAKENFIST_NAMESPACE", "system")
			e.Setenv("SHAKENFIST_KEY", "s3cret")
			return nil
		},
	})
}

// startCloud runs a cloud of one node until the script ends, and returns where its API is.
func startCloud(e *testscript.Env) (url string, err error) {
	t := e.T().(testing.TB) //nolint:errcheck // testscript.Run passes what it was given
	c := simulation.Config()
	c.Node, c.Dir, c.HashCost = "node-1", t.TempDir(), bcrypt.MinCost
	cloud, err := shakenfist.New(c)
	if err != nil {
		return "", err
	}
	stop := cloud.Start(t.Context())
	front := httptest.NewServer(server.New(cloud, server.Options{}))
	e.Defer(func() {
		front.Close()
		if err := stop(); err != nil {
			t.Errorf("the cloud failed: %v", err)
		}
	})
	if err := cloud.Ready(t.Context()); err != nil {
		return "", err
	}
	return front.URL, cloud.Namespaces.SetKey(t.Context(), "system", "deploy", "s3cret", false)
}

// serveImage serves the smallest thing that is taken for a disk: empty, with the mark of a boot sector.
func serveImage(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/base.raw" {
		http.NotFound(w, r)
		return
	}
	disk := make([]byte, 64<<10)
	disk[510], disk[511] = 0x55, 0xaa
	http.ServeContent(w, r, "", time.Unix(1700000000, 0), bytes.NewReader(disk))
}
