package cloudtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// boot asks for an instance of a base, which ref may make of the artifact called base.
func boot(name, base string, ref func(api.Artifact) string) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		r := Tiny(name, base, "")
		if ref != nil {
			found, err := artifactCalled(ctx, a, base)
			if err != nil {
				return err
			}
			r = Tiny(name, ref(found), "")
		}
		return bootAs(ctx, a, r)
	}
}

func bootAs(ctx context.Context, a *tenant, r api.CreateInstance) error {
	there, err := guests(ctx, a)
	if err != nil || strings.Contains(there, r.Name+" ") {
		return err
	}
	_, err = a.admin().CreateInstance(ctx, r)
	return err
}

func end1(name string) func(context.Context, *tenant) error {
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

// What the acts of galleries change.

// works lists the artifacts with the indices of their versions.
func works(ctx context.Context, a *tenant) (string, error) {
	all, err := a.admin().ListArtifacts(ctx, "")
	return named(all, err, func(f api.Artifact) string {
		text := calledAs(f) + " " + f.State + " " + strings.ReplaceAll(fmt.Sprint(indices(f)), " ", "+")
		if f.Shared {
			text += " shared"
		}
		return text
	})
}

func indices(f api.Artifact) []int {
	var all []int
	for index := range f.Blobs {
		all = append(all, index)
	}
	slices.Sort(all)
	return all
}

// calledAs is an artifact's name in these tests.
func calledAs(f api.Artifact) string {
	for _, before := range []string{bubbleImages + "/", "sf://upload/system/"} {
		if rest, ok := strings.CutPrefix(f.SourceURL, before); ok {
			return rest
		}
	}
	if rest, ok := strings.CutPrefix(f.SourceURL, "sf://label/system/"); ok {
		return "label " + rest
	}
	return "snapshot " + filepath.Base(f.SourceURL)
}

func artifactCalled(ctx context.Context, a *tenant, name string) (api.Artifact, error) {
	all, err := a.admin().ListArtifacts(ctx, "")
	for _, f := range all {
		if calledAs(f) == name {
			return f, nil
		}
	}
	if err == nil {
		_, err = a.admin().GetArtifact(ctx, "00000000-0000-4000-8000-000000000000") // says that it is not found
	}
	return api.Artifact{}, err
}

func guests(ctx context.Context, a *tenant) (string, error) {
	all, err := a.admin().ListInstances(ctx, false)
	return named(all, err, func(i api.Instance) string { return i.Name + " " + i.State + " " + i.PowerState })
}

// contents counts the blobs, those of them that are transcodes or damaged, and the bootable images.
func contents(ctx context.Context, a *tenant) (string, error) {
	all, err := a.admin().ListBlobs(ctx, "")
	transcodes, damaged := 0, 0
	for _, b := range all {
		transcodes += len(b.Transcodes)
		damaged += len(b.Damaged)
	}
	images, e := os.ReadDir(filepath.Join(a.world.dir, "image_cache"))
	if errors.Is(e, os.ErrNotExist) {
		e = nil
	}
	return fmt.Sprintf("%d blobs, %d transcodes, %d damaged, %d images", len(all), transcodes, damaged, len(images)), errors.Join(err, e)
}

// both joins two looks.
func both(one, two func(context.Context, *tenant) (string, error)) func(context.Context, *tenant) (string, error) {
	return func(ctx context.Context, a *tenant) (string, error) {
		s, err := one(ctx, a)
		t, e := two(ctx, a)
		return s + "; " + t, errors.Join(err, e)
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

// uploads lists how many bytes each upload has.
func uploads(_ context.Context, a *tenant) (string, error) {
	all, err := os.ReadDir(filepath.Join(a.world.dir, "uploads"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return named(all, err, func(e os.DirEntry) string {
		info, err := e.Info()
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(info.Size())
	})
}
