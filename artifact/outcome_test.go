package artifact_test

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

func TestWhatIsUnchangedIsTheVersionThatIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.start(nil).withNamespaces()
		for n := range 2 {
			w.origin.has(disk(10, uint64(n)), yesterday().Add(time.Duration(n)*time.Hour))
			_, err := c.fetched(imageURL)
			require.NoError(t, err)
		}
		newest := disk(10, 1)
		var once sync.Once
		w.origin.does(func(rw http.ResponseWriter, r *http.Request) {
			once.Do(func() { // the version that the source is asked by goes while it answers
				a, err := c.artifacts.Find(c.ctx, "tenant", "disk.img")
				require.NoError(t, err)
				_, err = c.artifacts.DeleteVersion(c.ctx, a.ID, 2)
				require.NoError(t, err)
			})
			http.ServeContent(rw, r, "disk.img", yesterday().Add(time.Hour), bytes.NewReader(newest))
		})
		a, err := c.fetched(imageURL)
		require.NoError(t, err)
		v, ok := a.Newest()
		require.True(t, ok)
		require.Equal(t, 3, v.Index, "what the source has is fetched again")
		c.requireDisk(a, newest)
		require.NotContains(t, c.messages(a.ID), "image unchanged at its source")
		synctest.Wait()
		c.consistent()
	})
}

func TestAnImageIsLookedAtAgainAlthoughTheLastAnswerWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := stage(t)
		var c *cloud
		var once sync.Once
		asked := make(chan string, 1)
		c = w.start(func(ctx context.Context, s step.Step) (err error) {
			if s.Name == "commit conclude fetch" && s.After {
				once.Do(func() { // the commit succeeded, and somebody asks anew before that is known here
					require.NoError(t, c.view.Fresh(c.ctx))
					again, err2 := c.artifacts.Cache(ctx, artifact.Request{URL: imageURL, Namespace: "tenant"})
					require.NoError(t, err2)
					asked <- again.ID
					err = fault.New("test", fault.Unavailable, "", "the answer was lost")
				})
			}
			return err
		})
		_, err := c.artifacts.Cache(c.ctx, artifact.Request{URL: imageURL, Namespace: "tenant"})
		require.NoError(t, err)
		time.Sleep(5 * time.Second)
		a, err := c.artifacts.Get(c.ctx, <-asked)
		require.NoError(t, err)
		require.Empty(t, a.Fetching, "it was looked at again")
		require.Contains(t, c.messages(a.ID), "image unchanged at its source")
		synctest.Wait()
		c.consistent()
	})
}

func TestAnUnchangedImageIsBootableAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := stage(t)
		c := w.start(nil)
		a, err := c.fetched(imageURL)
		require.NoError(t, err)
		v, _ := a.Newest()
		image := "image_cache/" + v.Blob + ".qcow2"
		synctest.Wait()
		require.Contains(t, w.files(), image)
		time.Sleep(2 * blob.DefaultCacheIdle)
		require.NotContains(t, w.files(), image, "nobody wanted it for long")
		again, err := c.fetched(imageURL)
		require.NoError(t, err)
		require.Equal(t, a.Versions, again.Versions)
		synctest.Wait()
		c.consistent()
	})
}
