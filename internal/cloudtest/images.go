package cloudtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/blob"
)

// gallery is an operator's collection of images, in a life that is cut off somewhere.
type gallery struct {
	edition atomic.Int64 // of what the server of images has
	upload  string       // UUID of the one that is being sent
}

// Times of a gallery. Acts take minutes, so that none of it passes before it is waited for.
const (
	idle    = 12 * time.Hour // of bootable images and uploads, until they expire
	recheck = 16 * time.Hour // between two looks at a copy
	late    = 2 * time.Hour  // what failed and can wait is tried again before
)

// galleryStory is a story of a gallery.
func galleryStory(objects int, acts func(*gallery) []act) Story {
	return Story{objects: objects, begin: func(t testing.TB) (*Simulated, []act) {
		t.Helper()
		g := &gallery{}
		s := newBubble(t, "n1")
		preset := s.change
		s.change = func(c *shakenfist.Config) {
			preset(c)
			c.HTTPClient = &http.Client{Transport: easel{&g.edition}}
			c.CacheIdle, c.UploadIdle, c.VerifyEvery = idle, idle, recheck
			c.Resync, c.LeaseTTL, c.Report = time.Hour, time.Hour, 24*time.Hour // hours pass quickly if little happens in them by itself
		}
		return s, slices.Concat(acts(g), nothingLeft())
	}}
}

// easel answers for a server of images: each path has its own, and another with each edition. It pauses in the middle, for
// long enough that others see what came so far. What ends in ".gz" is packed.
type easel struct{ edition *atomic.Int64 }

const (
	sector = 512
	pause  = time.Second
)

func (e easel) RoundTrip(r *http.Request) (*http.Response, error) {
	edition := e.edition.Load()
	tag := fmt.Sprintf(`"%d"`, edition)
	w := httptest.NewRecorder()
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
	}
	a := w.Result()
	a.Request = r
	if a.StatusCode == http.StatusOK {
		content := painting(r.URL.Path, edition)
		half := len(content) / 2
		a.ContentLength = int64(len(content))
		a.Body = io.NopCloser(io.MultiReader(bytes.NewReader(content[:half]), pausing{r.Context()}, bytes.NewReader(content[half:])))
	}
	return a, nil
}

// pausing is a reader that has nothing, and takes its time to say so.
type pausing struct{ ctx context.Context } //nolint:containedctx // of the request whose answer it belongs to

func (p pausing) Read([]byte) (int, error) {
	select {
	case <-time.After(pause):
		return 0, io.EOF
	case <-p.ctx.Done():
		return 0, context.Cause(p.ctx)
	}
}

// painting is a disk image, large enough that its bootable form is kept if the name says so.
func painting(name string, edition int64) []byte {
	size := 1 << 16
	if strings.Contains(name, "large") {
		size = blob.DefaultKeepFrom
	}
	disk := make([]byte, size)
	copy(disk[2*sector:], fmt.Sprintf("%s, edition %d", name, edition))
	disk[510], disk[511] = 0x55, 0xaa
	if strings.HasSuffix(name, ".gz") {
		return packed(disk)
	}
	return disk
}

func packed(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

// What the acts of galleries ask for. Who asks for what may be there looks first: an answer that was cut off said nothing.

func cache(name string) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		_, err := a.admin().CreateArtifact(ctx, api.CreateArtifact{URL: bubbleImages + "/" + name})
		return err
	}
}

// boot asks for an instance of a base.
func boot(name, base string) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error { return bootAs(ctx, a, Tiny(name, base, "")) }
}

func bootAs(ctx context.Context, a *tenant, r api.CreateInstance) error {
	there, err := guests(ctx, a)
	if err != nil || strings.Contains(there, r.Name+" ") {
		return err
	}
	_, err = a.admin().CreateInstance(ctx, r)
	return err
}

func takeDown(name string) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		_, err := a.admin().DeleteInstance(ctx, name)
		return err
	}
}

// drop deletes the artifact of that name.
func drop(name string) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		found, err := artifactCalled(ctx, a, name)
		if err != nil {
			return err
		}
		_, err = a.admin().DeleteArtifact(ctx, found.UUID)
		return err
	}
}

// pass lets time pass. If the process dies over it, it was not enough.
func pass(d time.Duration) func(context.Context, *tenant) error {
	return func(_ context.Context, a *tenant) error {
		select {
		case <-time.After(d):
			return nil
		case <-a.process.Dead:
			return errDead
		}
	}
}

// nothingLeft deletes everything and waits until nobody remembers any of it.
func nothingLeft() []act {
	return []act{
		{
			name: "delete all instances", look: guests, wanted: "",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().DeleteAllInstances(ctx, "system")
				return err
			},
		},
		{
			name: "delete all artifacts", look: both(works, contents), wanted: "; 0 blobs, 0 transcodes, 0 damaged, 0 images",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().DeleteAllArtifacts(ctx, "system")
				return err
			},
		},
		{name: "let time pass", look: uploads, wanted: "", do: pass(idle + late)},
	}
}
