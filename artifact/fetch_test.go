package artifact_test

import (
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func yesterday() time.Time { return time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second) }

func TestAnImageBecomesAVersionWithABootableImage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		image := disk(200, 1)
		w.origin.has(image, yesterday())
		c := w.start(nil).withNamespaces()

		asked, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "tenant"})
		require.NoError(t, err)
		require.Equal(t, artifact.Initial, asked.State)
		a, err := c.settled(asked.ID)
		require.NoError(t, err)

		require.Equal(t, artifact.Created, a.State)
		require.Equal(t, "disk.img", a.Name)
		require.Equal(t, imageURL, a.SourceURL)
		require.Len(t, a.Versions, 1)
		require.Equal(t, 1, a.Versions[0].Index)
		b, err := c.blobs.Get(t.Context(), a.Versions[0].Blob)
		require.NoError(t, err)
		require.EqualValues(t, len(image), b.Size)
		require.Len(t, b.SHA512, 128)
		require.True(t, yesterday().Equal(b.Modified), "modified %s", b.Modified)
		require.Equal(t, []blob.Owner{{Kind: blob.Version, ID: a.ID + "/000000000001", Ahead: true}}, b.Owners)
		stored, err := os.ReadFile(c.blobs.Path(b.ID))
		require.NoError(t, err)
		require.Equal(t, image, stored)

		synctest.Wait()
		img, size, ok, err := c.blobs.Cached(b.ID)
		require.NoError(t, err)
		require.True(t, ok)
		require.EqualValues(t, len(image), size)
		require.FileExists(t, img.Path)
		c.consistent()
		require.Equal(t, []string{
			"create request", "image download started", "image download 30 %", "image download 60 %", "image download 90 %", "image fetched",
		}, c.messages(a.ID))
	})
}

func TestOneDownloadServesAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		image, gate := disk(50, 1), make(chan struct{})
		w.origin.does(func(rw http.ResponseWriter, _ *http.Request) {
			<-gate
			_, _ = rw.Write(image)
		})
		c := w.start(nil).withNamespaces()
		const waiters = 200
		ids := make([]string, waiters)
		blobs := make([]string, waiters)
		var all sync.WaitGroup
		for i := range waiters {
			all.Go(func() {
				var wanted artifact.Wanted
				err := c.view.Retry(c.ctx, func() (err error) {
					tx := view.Txn{Name: "create instance", Ref: strconv.Itoa(i)}
					wanted, err = c.artifacts.Want(c.ctx, &tx, imageURL, "tenant")
					if err != nil {
						return err
					}
					tx.Do(c.events.Op(c.ctx, event.Object{Kind: "instance", ID: strconv.Itoa(i)}, event.Audit, "create request", nil))
					_, err = c.view.Commit(c.ctx, tx)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = wanted.ArtifactID
				c.await("the image", func() (done bool) {
					blobs[i], done, err = c.artifacts.Progress(wanted)
					return done
				})
			})
		}
		time.Sleep(time.Second) // of the bubble: everybody waits by now
		close(gate)
		all.Wait()
		require.EqualValues(t, 1, w.origin.gets.Load(), "downloads")
		for i := range waiters {
			require.Equal(t, ids[0], ids[i])
			require.NotEmpty(t, blobs[i])
			require.Equal(t, blobs[0], blobs[i])
		}
	})
}

func TestAnUnchangedImageIsNotDownloadedAgain(t *testing.T) {
	t.Parallel()
	image := disk(40, 1)
	sources := map[string]http.HandlerFunc{
		"by a server that answers conditional requests with its date": nil,
		"by a server that has ETags": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			if r.Header.Get("If-None-Match") == `"v1"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write(image)
		},
		"by a server that ignores conditions, by date and length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Last-Modified", "Tue, 17 Nov 2026 10:00:00 GMT")
			w.Header().Set("Content-Length", strconv.Itoa(len(image)))
			_, _ = w.Write(image)
		},
		"by a server that tells nothing, by its content": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(image)))
			_, _ = w.Write(image)
		},
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.origin.has(image, yesterday())
				if source != nil {
					w.origin.does(source)
				}
				c := w.start(nil).withNamespaces()
				first, err := c.fetched(imageURL)
				require.NoError(t, err)
				again, err := c.fetched(imageURL)
				require.NoError(t, err)
				require.Equal(t, first.Versions, again.Versions)
				require.EqualValues(t, 2, w.origin.gets.Load())
				messages := c.messages(first.ID)
				require.Contains(t, messages[len(messages)-1], "image unchanged")
				synctest.Wait()
				c.consistent()
			})
		})
	}
}

func TestAChangedImageIsANewVersionAndOldOnesGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.start(nil).withNamespaces()
		start := yesterday()
		var a artifact.Artifact
		var err error
		for i := range 5 {
			w.origin.has(disk(20+i, uint64(i)), start.Add(time.Duration(i)*time.Minute))
			a, err = c.fetched(imageURL)
			require.NoError(t, err)
		}
		var indexes []int
		for _, v := range a.Versions {
			indexes = append(indexes, v.Index)
		}
		require.Equal(t, []int{3, 4, 5}, indexes)
		synctest.Wait()
		require.Len(t, c.blobs.List(t.Context()), 3)
		c.consistent()
	})
}

func TestABlobThatSomethingElseNeedsOutlivesItsArtifact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(20, 1), yesterday())
		c := w.start(nil).withNamespaces()
		a, err := c.fetched(imageURL)
		require.NoError(t, err)
		instance := blob.Owner{Kind: blob.Instance, ID: "i-1", Node: "node-1"}
		tx := view.Txn{Name: "refer"}
		require.NoError(t, c.blobs.AddRef(&tx, a.Versions[0].Blob, instance))
		_, err = c.view.Commit(t.Context(), tx)
		require.NoError(t, err)

		deleted, err := c.artifacts.Delete(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, artifact.Deleted, deleted.State)
		time.Sleep(2 * time.Minute)
		c.consistent()
		require.Len(t, w.files(), 2)
		b, err := c.blobs.Get(t.Context(), a.Versions[0].Blob)
		require.NoError(t, err)
		require.Equal(t, []string{"i-1"}, b.Instances())

		tx = view.Txn{Name: "drop"}
		c.blobs.DropRef(&tx, b.ID, instance)
		_, err = c.view.Commit(t.Context(), tx)
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, w.files())
		b, err = c.blobs.Get(t.Context(), b.ID)
		require.NoError(t, err)
		require.Equal(t, blob.Deleted, b.State)
		require.ErrorIs(t, c.blobs.AddRef(&tx, b.ID, instance), fault.NotFound)
	})
}

func TestDeletingStopsADownload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gone := make(chan struct{})
		w.origin.does(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Length", "1000000")
			_, _ = rw.Write(disk(10, 1))
			_ = http.NewResponseController(rw).Flush()
			<-r.Context().Done()
			close(gone)
		})
		c := w.start(nil).withNamespaces()
		a, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "tenant"})
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, w.files(), 1, "a partial file")
		before := time.Now()
		for range 2 {
			deleted, err := c.artifacts.Delete(t.Context(), a.ID)
			require.NoError(t, err)
			require.Equal(t, artifact.Deleted, deleted.State)
		}
		<-gone
		synctest.Wait()
		require.Zero(t, time.Since(before), "it stops at once")
		require.Empty(t, w.files())
		_, done, err := c.artifacts.Progress(artifact.Wanted{ArtifactID: a.ID, Generation: 1})
		require.True(t, done)
		require.ErrorIs(t, err, fault.NotFound)
		require.NotContains(t, c.messages(a.ID), "image fetch failed")

		fresh, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "tenant"})
		require.NoError(t, err)
		require.NotEqual(t, a.ID, fresh.ID, "its URL is free again")
	})
}

func TestAStoreThatIsAwayCostsNoSecondDownload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.does(func(rw http.ResponseWriter, _ *http.Request) {
			for range 30 {
				w.store.FailNext("Commit", fault.New("store", fault.Unavailable, "", "the store is away"))
			}
			_, _ = rw.Write(disk(10, 1))
		})
		c := w.start(nil).withNamespaces()
		a, err := c.fetched(imageURL)
		require.NoError(t, err)
		require.Len(t, a.Versions, 1)
		require.EqualValues(t, 1, w.origin.gets.Load())
		synctest.Wait()
		c.consistent()
	})
}

func TestContentThatWasLostIsFetchedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		c := w.start(nil).withNamespaces()
		a, err := c.fetched(imageURL)
		require.NoError(t, err)
		synctest.Wait()
		lost := a.Versions[0].Blob
		require.NoError(t, os.Remove(c.blobs.Path(lost)))
		time.Sleep(2 * resync)
		require.False(t, c.blobs.Held(lost))

		again, err := c.fetched(imageURL)
		require.NoError(t, err)
		require.Equal(t, a.Versions, again.Versions, "the same content needs no other version")
		require.True(t, c.blobs.Held(lost))
		content, err := os.ReadFile(c.blobs.Path(lost))
		require.NoError(t, err)
		require.Equal(t, disk(10, 1), content)
		time.Sleep(2 * resync)
		c.consistent()
	})
}

func TestWhoWaitsIsToldAndAnIdleNodeAsksNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		var told sync.Map
		w.onChange = func(id string) { told.Store(id, true) }
		c := w.start(nil, func(_ *artifact.Deps, b *blob.Deps) {
			b.Verify, b.CacheIdle = -1, 100*time.Hour // nothing is due in a day
		}).withNamespaces()
		a, err := c.fetched(imageURL)
		require.NoError(t, err)
		_, ok := told.Load(a.ID)
		require.True(t, ok)
		versions, err := c.artifacts.Versions(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, a.Versions, versions)
		synctest.Wait()
		require.Empty(t, c.artifacts.Busy())
		before := w.store.Stats()
		time.Sleep(24 * time.Hour)
		require.Equal(t, before, w.store.Stats())
	})
}

func TestDeletedRecordsGoAfterAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		c := w.start(nil).withNamespaces()
		a, err := c.fetched(imageURL)
		require.NoError(t, err)
		_, err = c.artifacts.Delete(t.Context(), a.ID)
		require.NoError(t, err)
		time.Sleep(linger - time.Minute)
		_, err = c.artifacts.Get(t.Context(), a.ID)
		require.NoError(t, err, "it can still be read")
		time.Sleep(2 * time.Minute)
		_, err = c.artifacts.Get(t.Context(), a.ID)
		require.ErrorIs(t, err, fault.NotFound)
		require.Empty(t, w.keys())
		require.NoError(t, c.namespaces.Delete(t.Context(), "tenant"), "nothing is owned any more")
	})
}
