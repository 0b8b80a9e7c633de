package artifact_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

func TestTwoCreatesOfOneURLMakeOneArtifact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		c := w.start(nil).withNamespaces()
		ids := make([]string, 50)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				a, err := c.artifacts.Cache(c.ctx, artifact.Request{URL: imageURL, Namespace: "tenant"})
				if err != nil {
					t.Error(err)
				}
				ids[i] = a.ID
			})
		}
		all.Wait()
		for _, id := range ids {
			require.Equal(t, ids[0], id)
		}
		require.Len(t, c.artifacts.List(t.Context(), "tenant"), 1)
	})
}

func TestWantingTwiceInOneTransactionIsWantingOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		c := w.start(nil).withNamespaces()
		for range 2 { // a new artifact, and one that is there
			tx := view.Txn{Name: "create instance"}
			first, err := c.artifacts.Want(t.Context(), &tx, imageURL, "tenant")
			require.NoError(t, err)
			second, err := c.artifacts.Want(t.Context(), &tx, imageURL, "tenant")
			require.NoError(t, err)
			require.Equal(t, first, second)
			_, err = c.view.Commit(t.Context(), tx)
			require.NoError(t, err)
			c.await("the image", func() bool { _, done, err := c.artifacts.Progress(first); return done && err == nil })
		}
	})
}

func TestACommitThatFailsWantsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.start(nil).withNamespaces()
		tx := view.Txn{Name: "create instance"}
		_, err := c.artifacts.Want(t.Context(), &tx, imageURL, "tenant")
		require.NoError(t, err)
		tx.Check(store.At("c/capacity", 99))
		_, err = c.view.Commit(t.Context(), tx)
		require.ErrorIs(t, err, fault.Conflict)
		synctest.Wait()
		require.Empty(t, w.keys())
		require.Zero(t, w.origin.gets.Load())
	})
}

func TestAnImageOfOthersIsReusedByWhoMaySeeIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		c := w.start(nil).withNamespaces("other")
		cache := func(namespace string, shared bool) (artifact.Artifact, error) {
			return c.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: namespace, Shared: shared})
		}
		private, err := cache("other", false)
		require.NoError(t, err)
		own, err := cache("tenant", false)
		require.NoError(t, err)
		require.NotEqual(t, private.ID, own.ID, "what cannot be seen is not reused")
		_, err = c.artifacts.Delete(t.Context(), own.ID)
		require.NoError(t, err)

		_, err = cache("tenant", true)
		require.ErrorIs(t, err, fault.Forbidden)
		require.Equal(t, "only the system namespace can create shared artifacts", fault.Text(err))

		// The system could use any artifact; what it shares is its own all the same.
		shared, err := cache("system", true)
		require.NoError(t, err)
		require.NotEqual(t, private.ID, shared.ID)
		require.True(t, shared.Shared)
		still, err := c.artifacts.Get(t.Context(), private.ID)
		require.NoError(t, err)
		require.False(t, still.Shared, "a tenant's private image was shown to all")
		reused, err := cache("tenant", false)
		require.NoError(t, err)
		require.Equal(t, shared.ID, reused.ID)
	})
}

func TestSeveralImagesOfOthersAreAConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		c := w.start(nil).withNamespaces("other", "guest")
		for _, namespace := range []string{"tenant", "other"} {
			_, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: namespace})
			require.NoError(t, err)
			c.trust(namespace, "guest")
		}
		_, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "guest"})
		require.ErrorIs(t, err, fault.Conflict)
		require.Contains(t, fault.Text(err), "2 artifacts of other namespaces come from "+imageURL)
		require.False(t, errors.Is(err, fault.Internal))
		_, err = c.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "system"})
		require.NoError(t, err, "tenants stand in the system's way")
	})
}

func TestFindPrefersOwnThenTrustedThenShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		c := w.start(nil).withNamespaces("other")
		make := func(url, namespace string, shared bool) artifact.Artifact {
			a, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: url, Namespace: namespace, Shared: shared})
			require.NoError(t, err)
			return a
		}
		private := make("http://images.test/a/disk.img", "other", false)
		shared := make("http://images.test/b/disk.img", "system", true)
		found, err := c.artifacts.Find(t.Context(), "tenant", "disk.img")
		require.NoError(t, err)
		require.Equal(t, shared.ID, found.ID)
		_, err = c.artifacts.FindOwned(t.Context(), "tenant", "disk.img")
		require.ErrorIs(t, err, fault.NotFound, "a shared artifact is not for everybody to change")
		_, err = c.artifacts.FindOwned(t.Context(), "tenant", shared.ID)
		require.ErrorIs(t, err, fault.NotFound)
		_, err = c.artifacts.Find(t.Context(), "tenant", private.ID)
		require.ErrorIs(t, err, fault.NotFound)
		require.Equal(t, "artifact not found", fault.Text(err))

		own := make("http://images.test/c/disk.img", "tenant", false)
		found, err = c.artifacts.Find(t.Context(), "tenant", "disk.img")
		require.NoError(t, err)
		require.Equal(t, own.ID, found.ID)
		make("http://images.test/d/disk.img", "tenant", false)
		_, err = c.artifacts.Find(t.Context(), "tenant", "disk.img")
		require.ErrorIs(t, err, fault.Invalid)
		require.Equal(t, `multiple artifacts have the name "disk.img" in namespace "tenant"`, fault.Text(err))

		_, err = c.artifacts.Delete(t.Context(), own.ID)
		require.NoError(t, err)
		gone, err := c.artifacts.Find(t.Context(), "tenant", strings.ReplaceAll(own.ID, "-", ""))
		require.NoError(t, err)
		require.Equal(t, artifact.Deleted, gone.State)
		require.Len(t, c.artifacts.List(t.Context(), "tenant"), 2, "own and shared, without the deleted one")
		require.Len(t, c.artifacts.List(t.Context(), "system"), 3)
	})
}

func TestANamespaceThatIsNotThereOwnsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.start(nil).withNamespaces()
		_, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "nobody"})
		require.ErrorIs(t, err, fault.NotFound)
		require.Equal(t, "namespace not found", fault.Text(err))
		require.Empty(t, w.keys())
	})
}

func TestShorthandsMeanURLs(t *testing.T) {
	t.Parallel()
	const listing = `<a href="../">..</a><a href="0.3.5/">0.3.5/</a> <a href="0.10.2/">x</a><a href="0.6.3/">x</a><a href="99.0/">x</a>`
	cases := map[string]string{
		"cirros":          "/0.10.2/cirros-0.10.2-x86_64-disk.img",
		"cirros:0.6.3":    "/0.6.3/cirros-0.6.3-x86_64-disk.img",
		"debian:12":       "/debian:12/latest.qcow2",
		"debian-gnome:12": "/debian-gnome:12/latest.qcow2",
		"ubuntu:24.04":    "/ubuntu:24.04/latest.qcow2",
		"rocky:9":         "/rocky:9/latest.qcow2",
		"fedora:40":       "/fedora:40/latest.qcow2",
		"centos:9-stream": "/centos:9-stream/latest.qcow2",
	}
	for text, path := range cases {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var mu sync.Mutex
				var images []string
				w.origin.does(func(rw http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/" {
						_, _ = rw.Write([]byte(listing))
						return
					}
					if strings.HasSuffix(r.URL.Path, "SUMS") || strings.Contains(r.URL.Path, ".sha") {
						http.NotFound(rw, r)
						return
					}
					mu.Lock()
					images = append(images, r.URL.Path)
					mu.Unlock()
					_, _ = rw.Write(disk(10, 1))
				})
				c := w.start(nil, withOrigin).withNamespaces()
				a, err := c.fetched(text)
				require.NoError(t, err)
				require.Equal(t, text, a.SourceURL)
				require.Equal(t, text, a.Name)
				mu.Lock()
				defer mu.Unlock()
				require.Equal(t, []string{path}, images)
			})
		})
	}
}

func TestAURLThatIsNoneIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"":                                      "url is missing",
		"ftp://host/image":                      "neither an http://, https:// or oci:// URL nor a shorthand",
		"sf://snapshot/1":                       "neither an http://, https:// or oci:// URL nor a shorthand",
		"windows":                               "neither an http://, https:// or oci:// URL nor a shorthand",
		"cirros:newest":                         "neither an http://, https:// or oci:// URL nor a shorthand",
		"http://":                               "names no host",
		"http://host/a b":                       "has a blank or a control character",
		"http://host/a\nb":                      "has a blank or a control character",
		"http://[::1":                           "cannot be understood",
		"http://h/" + strings.Repeat("x", 4096): "url has 4105 bytes, at most 4096 are allowed",
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.start(nil).withNamespaces()
		for url, text := range cases {
			_, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: url, Namespace: "tenant"})
			require.ErrorIs(t, err, fault.Invalid, "%.40q", url)
			require.Contains(t, fault.Text(err), text)
			require.Contains(t, fault.Text(err), "url")
		}
		require.Empty(t, w.keys())
	})
}

func TestSecretsOfAURLAreNotSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.does(http.NotFound)
		c := w.start(nil).withNamespaces()
		a, err := c.fetched("http://user:hush@images.test/disk.img?sig=hush#hush")
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hush")
		require.Equal(t, "disk.img", a.Name)
		page, err := w.store.List(t.Context(), "e/", "", 0)
		require.NoError(t, err)
		require.NotEmpty(t, page.Entries)
		for _, e := range page.Entries {
			require.NotContains(t, string(e.Value), "hush")
		}
	})
}
