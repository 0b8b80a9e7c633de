package artifact_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
)

// broken answers with a body that ends early.
func broken(content []byte, after int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content[:after])
	}
}

// hostile is a QCOW2 image that names another file of this host as its backing file.
func hostile() []byte {
	b := make([]byte, 65536)
	copy(b, "QFI\xfb")
	binary.BigEndian.PutUint32(b[4:], 3)
	binary.BigEndian.PutUint64(b[8:], 512)
	binary.BigEndian.PutUint32(b[16:], 11)
	binary.BigEndian.PutUint32(b[20:], 16)
	binary.BigEndian.PutUint64(b[24:], 1<<20)
	binary.BigEndian.PutUint32(b[96:], 4)
	binary.BigEndian.PutUint32(b[100:], 104)
	copy(b[512:], "/etc/shadow")
	return b
}

func TestASourceThatFailsForGoodIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		answer http.HandlerFunc
		text   string
	}{
		"nothing there":        {http.NotFound, "the server answered 404 Not Found: there is no such image, check the URL"},
		"a login is wanted":    {status(http.StatusUnauthorized), "the server answered 401 Unauthorized: it does not give this image to us"},
		"a web page":           {page("text/html; charset=utf-8", "<!DOCTYPE html><html>log in</html>"), "HTML page"},
		"a web page in hiding": {page("application/octet-stream", "<!DOCTYPE html><html>log in</html>"), "HTML"},
		"an odd status":        {status(http.StatusNoContent), "the server answered 204 No Content instead of an image"},
		"an empty file":        {page("application/octet-stream", ""), "empty"},
		"a backing file":       {page("application/octet-stream", string(hostile())), "backing file"},
		"a redirect loop": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again?token=hush", http.StatusFound)
		}, "the server redirected more than 10 times, last to http://images.test/again?…: check the URL"},
		"a redirect to a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/shadow", http.StatusFound)
		}, "the server redirected to file:///etc/shadow, which is neither http nor https"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.origin.does(c.answer)
				cloud := w.start(nil).withNamespaces()
				before := time.Now()
				a, err := cloud.fetched(imageURL + "?token=hush")
				require.ErrorIs(t, err, fault.Invalid)
				require.Zero(t, time.Since(before))
				require.Equal(t, artifact.Error, a.State)
				require.Equal(t, fault.Text(err), a.Error)
				require.Contains(t, a.Error, "fetch image "+imageURL+"?…")
				require.Contains(t, a.Error, c.text)
				require.NotContains(t, a.Error, "hush")
				synctest.Wait()
				require.Empty(t, w.files())
			})
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func page(kind, content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write([]byte(content))
	}
}

func TestASourceThatFailsForAWhileIsAskedAgainAndThenGivenUp(t *testing.T) {
	t.Parallel()
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	stuck := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(disk(10, 1))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	cases := map[string]struct {
		answer http.HandlerFunc
		text   string
		atMost time.Duration
	}{
		"refused":                  {nil, "connection refused", 20 * time.Second},
		"unavailable":              {status(http.StatusServiceUnavailable), "the server answered 503 Service Unavailable", 20 * time.Second},
		"cut off at the same byte": {broken(disk(100, 1), 5000), "the connection broke after 5000 of 51200 bytes", 21 * time.Second},
		"never an answer":          {silent, "the server sent nothing for 20s", 21 * time.Second},
		"stuck half-way":           {stuck, "the server sent nothing for 30s", 81 * time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.origin.does(c.answer)
				cloud := w.start(nil).withNamespaces()
				before := time.Now()
				a, err := cloud.fetched(imageURL)
				require.ErrorIs(t, err, fault.Unavailable)
				require.Contains(t, textOf(err), c.text)
				require.LessOrEqual(t, time.Since(before), c.atMost)
				require.Greater(t, time.Since(before), 14*time.Second, "it was patient")
				require.Equal(t, artifact.Error, a.State)
				synctest.Wait()
				require.Empty(t, w.files())

				w.origin.has(disk(10, 1), yesterday())
				again, err := cloud.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "tenant"})
				require.NoError(t, err)
				require.Equal(t, a.ID, again.ID)
				require.Equal(t, artifact.Initial, again.State, "asking again tries again")
				a, err = cloud.settled(a.ID)
				require.NoError(t, err)
				require.Equal(t, artifact.Created, a.State)
				require.Empty(t, a.Error)
			})
		})
	}
}

func TestAFaultThatPassesCostsOnlyTime(t *testing.T) {
	t.Parallel()
	image := disk(100, 1)
	faults := map[string]http.HandlerFunc{
		"unavailable": status(http.StatusBadGateway),
		"cut off":     broken(image, 7000),
		"reset": func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.Close()
			}
		},
	}
	for name, answer := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.origin.does(func(rw http.ResponseWriter, r *http.Request) {
					if w.origin.gets.Load() <= 3 {
						answer(rw, r)
						return
					}
					http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(image))
				})
				c := w.start(nil).withNamespaces()
				a, err := c.fetched(imageURL)
				require.NoError(t, err)
				require.EqualValues(t, 4, w.origin.gets.Load())
				require.Contains(t, c.messages(a.ID), "image source failed, trying again")
				synctest.Wait()
				c.consistent()
			})
		})
	}
}

func TestASlowSourceIsGivenAllTheTimeThereIsAndNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.does(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Length", "1000000")
			for r.Context().Err() == nil {
				_, _ = rw.Write(make([]byte, 10))
				_ = http.NewResponseController(rw).Flush()
				select {
				case <-time.After(25 * time.Second): // within the time a source may be silent
				case <-r.Context().Done():
				}
			}
		})
		c := w.start(nil).withNamespaces()
		before := time.Now()
		_, err := c.fetched(imageURL)
		require.ErrorIs(t, err, fault.Unavailable)
		require.Contains(t, fault.Text(err), "it took longer than 30m0s")
		require.Equal(t, 30*time.Minute, time.Since(before))
	})
}

func TestWhatIsThereIsUsedWhenTheSourceFails(t *testing.T) {
	t.Parallel()
	sources := map[string]http.HandlerFunc{
		"refused":        nil,
		"unavailable":    status(http.StatusServiceUnavailable),
		"gone":           http.NotFound,
		"a web page":     page("text/html", "<html>"),
		"a backing file": page("application/octet-stream", string(hostile())),
		"silent":         func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}
	for name, answer := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.origin.has(disk(10, 1), yesterday())
				c := w.start(nil).withNamespaces()
				a, err := c.fetched(imageURL)
				require.NoError(t, err)
				w.origin.does(answer)
				before := time.Now()
				b, err := c.fetched(imageURL)
				require.NoError(t, err)
				require.LessOrEqual(t, time.Since(before), 5*time.Second, "nobody waits long for a source that is away")
				require.Equal(t, a.Versions, b.Versions)
				require.Equal(t, artifact.Created, b.State)
				require.Contains(t, c.messages(a.ID), "image could not be looked at again, using the version that is there")
				synctest.Wait()
				c.consistent()
			})
		})
	}
}

func TestNoRoomOnTheDiskIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.does(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", fmt.Sprint(int64(1)<<60))
			_, _ = rw.Write(disk(10, 1))
		})
		c := w.start(nil, func(_ *artifact.Deps, b *blob.Deps) { b.Limits.Bytes = 1 << 61 }).withNamespaces()
		a, err := c.fetched(imageURL)
		require.ErrorIs(t, err, fault.Exhausted)
		require.Contains(t, a.Error, "no room in the storage folder")
		require.Contains(t, a.Error, "MiB free")
		synctest.Wait()
		require.Empty(t, w.files())
	})
}

func TestContentIsKeptAsItLiesAtTheSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.does(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
			}
			rw.Header().Set("Content-Encoding", "gzip")
			_, _ = rw.Write([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"))
		})
		c := w.start(nil).withNamespaces()
		_, err := c.fetched(imageURL)
		require.ErrorIs(t, err, fault.Invalid)
		require.Contains(t, fault.Text(err), "gzip", "it reached the header guard as it is")
	})
}
