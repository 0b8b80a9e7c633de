package artifact_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
)

// cached caches an image for a namespace and waits until that is done.
func (c *cloud) cached(namespace, url string) (artifact.Artifact, error) {
	c.t.Helper()
	a, err := c.artifacts.Cache(c.ctx, artifact.Request{URL: url, Namespace: namespace})
	if err != nil {
		return a, err
	}
	return c.settled(a.ID)
}

// last returns what the newest event of an artifact says.
func (c *cloud) last(id string) event.Event {
	c.t.Helper()
	events, err := c.events.List(c.ctx, event.Object{Kind: "artifact", ID: id}, "", 1)
	require.NoError(c.t, err)
	return events[0]
}

func TestOperatorsTakeImagesFromFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.start(nil).withNamespaces()
		path := filepath.Join(t.TempDir(), "disk.img")
		require.NoError(t, os.WriteFile(path, disk(10, 1), 0o600))
		a, err := c.cached("system", "file://"+path)
		require.NoError(t, err)
		require.Equal(t, "disk.img", a.Name)
		stored, err := os.ReadFile(c.blobs.Path(a.Versions[0].Blob))
		require.NoError(t, err)
		require.Equal(t, disk(10, 1), stored)

		again, err := c.cached("system", "file://localhost"+path)
		require.NoError(t, err)
		require.Equal(t, a.Versions[0].Blob, again.Versions[0].Blob, "the same content takes room once")
		again, err = c.cached("system", "file://"+path)
		require.NoError(t, err)
		require.Equal(t, a.Versions, again.Versions)
		require.Equal(t, "image unchanged at its source", c.last(a.ID).Message)

		require.NoError(t, os.WriteFile(path, disk(11, 2), 0o600))
		again, err = c.cached("system", "file://"+path)
		require.NoError(t, err)
		require.Len(t, again.Versions, 2)
		synctest.Wait()
		c.consistent()
	})
}

func TestFilesAreForOperatorsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.start(nil).withNamespaces()
		for _, url := range []string{"file:///etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd", "file:etc/passwd", "file://"} {
			_, err := c.cached("tenant", url)
			require.ErrorIs(t, err, fault.Forbidden, url)
			require.Contains(t, fault.Text(err), "url is a file of the cloud's own machines, which only the system namespace may use")
		}
		for url, text := range map[string]string{
			"file://elsewhere/etc/passwd": `url names a file of the host "elsewhere"`,
			"file:etc/passwd":             "url is not a file's; write file:///path",
			"file://":                     "url is not a file's",
			"file:///etc/passwd?x":        "url is not a file's",
		} {
			_, err := c.cached("system", url)
			require.ErrorIs(t, err, fault.Invalid, url)
			require.Contains(t, fault.Text(err), text)
		}
		require.Empty(t, w.keys())
	})
}

func TestWhatIsNoRegularFileIsNoImage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.start(nil).withNamespaces()
		dir := t.TempDir()
		file, link, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
		require.NoError(t, os.WriteFile(file, disk(1, 1), 0o600))
		require.NoError(t, os.Symlink(file, link))
		require.NoError(t, syscall.Mkfifo(fifo, 0o600))
		for path, text := range map[string]string{
			link: "the file cannot be opened; it must be on the node that fetches, and be no symbolic link",
			fifo: "this is not a regular file", dir: "this is not a regular file", "/dev/zero": "this is not a regular file",
			filepath.Join(dir, "missing"): "no such file or directory",
		} {
			_, err := c.cached("system", "file://"+path)
			require.ErrorIs(t, err, fault.Invalid, path)
			require.Contains(t, fault.Text(err), text)
		}
		synctest.Wait()
		require.Empty(t, w.files())
	})
}

// mirror is a web server with CirrOS as its own site has it.
func mirror(image []byte, sums string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cirros/":
			_, _ = fmt.Fprint(w, `<a href="0.5.1/">0.5.1/</a><a href="0.6.3/">0.6.3/</a>`)
		case "/cirros/0.5.1/MD5SUMS", "/cirros/0.6.3/MD5SUMS":
			_, _ = fmt.Fprint(w, sums)
		case "/cirros/0.5.1/cirros-0.5.1-x86_64-disk.img", "/cirros/0.6.3/cirros-0.6.3-x86_64-disk.img", "/images/debian:12/latest.qcow2":
			_, _ = w.Write(image)
		default:
			http.NotFound(w, r)
		}
	}
}

func TestShorthandsComeFromAMirrorAndAreHeldToItsChecksums(t *testing.T) {
	t.Parallel()
	image := disk(10, 1)
	sum := md5.Sum(image)
	right := hex.EncodeToString(sum[:])
	list := func(sum string) string {
		return sum + "  cirros-0.5.1-x86_64-disk.img\n" + sum + "  cirros-0.6.3-x86_64-disk.img\n"
	}
	for name, want := range map[string]struct{ sums, checked, text string }{
		"cirros": {list(right), "md5", ""}, "cirros:0.5.1": {list(right), "md5", ""}, "debian:12": {},
		"cirros:0.6.3": {sums: list(strings.Repeat("0", 32)), text: "its md5 is " + right[:12] + "… and should be 000000000000…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := onSockets(t, func(a *artifact.Deps) {
				url, _ := serve(t, mirror(image, want.sums))
				a.ImageURL, a.CirrosURL = url+"/images", url+"/cirros/"
			})
			a, err := c.fetched(name)
			extra := c.last(a.ID).Extra
			if want.text != "" {
				require.ErrorIs(t, err, fault.Unavailable)
				require.Contains(t, fault.Text(err), want.text)
				require.EqualValues(t, 2, extra["attempts"], "damage may pass")
				return
			}
			require.NoError(t, err)
			if want.checked == "" {
				require.NotContains(t, extra, "checked")
				return
			}
			require.Equal(t, want.checked, extra["checked"])
		})
	}
}

func TestAServerThatWantsToBeLeftAloneIs(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"7", "date"} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				busy, image := true, disk(10, 1)
				var mu sync.Mutex
				w.origin.does(func(rw http.ResponseWriter, _ *http.Request) {
					mu.Lock()
					defer mu.Unlock()
					if !busy {
						_, _ = rw.Write(image)
						return
					}
					busy = false
					text := after
					if text == "date" {
						text = time.Now().Add(8 * time.Second).UTC().Format(http.TimeFormat)
					}
					rw.Header().Set("Retry-After", text)
					rw.WriteHeader(http.StatusTooManyRequests)
				})
				c := w.start(nil).withNamespaces()
				before := time.Now()
				a, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: imageURL, Namespace: "tenant"})
				require.NoError(t, err)
				synctest.Wait()
				_, err = c.fetched(imageURL + "?another")
				require.NoError(t, err)
				require.GreaterOrEqual(t, time.Since(before), 7*time.Second, "another image of the same host waits too")
				_, err = c.settled(a.ID)
				require.NoError(t, err)
				require.Less(t, time.Since(before), 9*time.Second)
				require.EqualValues(t, 3, w.origin.gets.Load())
				require.Contains(t, c.messages(a.ID), "image source failed, trying again")
			})
		})
	}
}

func TestAServerThatAlwaysWantsToBeLeftAloneIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		c := w.start(nil).withNamespaces()
		there, err := c.fetched(imageURL)
		require.NoError(t, err)
		w.origin.does(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "99999999999")
			rw.Header().Add("Retry-After", "1")
			rw.WriteHeader(http.StatusServiceUnavailable)
		})
		before := time.Now()
		_, err = c.fetched(imageURL + "?another")
		require.ErrorIs(t, err, fault.Unavailable)
		require.Less(t, time.Since(before), 7*time.Minute)
		before = time.Now()
		again, err := c.fetched(imageURL)
		require.NoError(t, err)
		require.Equal(t, there.Versions, again.Versions)
		require.Zero(t, time.Since(before), "who has a version waits for nobody")
	})
}

func TestATenantsSlowServersHoldNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		image := disk(10, 1)
		w.origin.does(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Host, "slow") {
				<-r.Context().Done()
				return
			}
			_, _ = rw.Write(image)
		})
		c := w.start(nil).withNamespaces("neighbour")
		for i := range 1200 {
			_, err := c.artifacts.Cache(t.Context(), artifact.Request{URL: "http://slow" + strconv.Itoa(i) + ".test/disk.img", Namespace: "tenant"})
			require.NoError(t, err)
		}
		synctest.Wait()
		before := time.Now()
		_, err := c.cached("neighbour", imageURL)
		require.NoError(t, err)
		require.Zero(t, time.Since(before))
	})
}

func TestTheSameBytesOfTwoSourcesTakeRoomOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(10, 1), yesterday())
		c := w.start(nil).withNamespaces("neighbour")
		a, err := c.fetched(imageURL)
		require.NoError(t, err)
		b, err := c.cached("neighbour", imageURL)
		require.NoError(t, err)
		require.NotEqual(t, a.ID, b.ID)
		require.Equal(t, a.Versions[0].Blob, b.Versions[0].Blob)
		require.EqualValues(t, 1, c.last(b.ID).Extra["version"])
		synctest.Wait()
		c.consistent()

		_, err = c.artifacts.Delete(t.Context(), a.ID)
		require.NoError(t, err)
		synctest.Wait()
		time.Sleep(2 * resync)
		require.True(t, c.blobs.Held(b.Versions[0].Blob), "the other needs it")
		c.consistent()
		_, err = c.artifacts.Delete(t.Context(), b.ID)
		require.NoError(t, err)
		require.NoError(t, c.eventually(t.Context(), func() bool { return len(w.files()) == 0 }))
	})
}

// The secret of a URL is not told to where its server sends us.
func TestARedirectTellsNothingOfWhereItCameFrom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		image := disk(10, 1)
		w.origin.does(func(rw http.ResponseWriter, r *http.Request) {
			if r.Host == "images.test" {
				http.Redirect(rw, r, "http://elsewhere.test/disk.img", http.StatusFound)
				return
			}
			if r.Header.Get("Referer") != "" || r.Header.Get("Authorization") != "" {
				t.Errorf("it was told %v", r.Header)
			}
			_, _ = rw.Write(image)
		})
		c := w.start(nil).withNamespaces()
		_, err := c.fetched("http://user:hush@images.test/disk.img?sig=hush")
		require.NoError(t, err)
	})
}
