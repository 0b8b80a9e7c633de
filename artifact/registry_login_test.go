package artifact_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ocilibrary "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
)

// loginOCI is where the tests' registry has its image for those who log in.
const loginOCI = "oci+http://who:hush@registry.test/disks/web:1"

// basic asks for a user and a password.
func basic(h http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "who" || password != "hush" {
			w.Header().Set("WWW-Authenticate", `Basic realm="disks"`)
			http.Error(w, "secrets of the registry", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}
}

// bearer asks for a token from a realm, and gives one there to those who have the password.
func bearer(h http.Handler, realm string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			basic(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = json.NewEncoder(w).Encode(map[string]string{"token": "for " + r.URL.Query().Get("scope")})
			}))(w, r)
		case r.Header.Get("Authorization") != "Bearer for repository:disks/web:pull":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`",service="disks"`)
			http.Error(w, "secrets of the registry", http.StatusUnauthorized)
		default:
			h.ServeHTTP(w, r)
		}
	}
}

func TestARegistryMayWantALogin(t *testing.T) {
	t.Parallel()
	const realm = "http://registry.test/token"
	logins := map[string]func(h http.Handler) http.HandlerFunc{
		"basic": basic,
		"token": func(h http.Handler) http.HandlerFunc { return bearer(h, realm) },
		"token from elsewhere": func(h http.Handler) http.HandlerFunc {
			inner := bearer(h, "http://login.test/token")
			return func(w http.ResponseWriter, r *http.Request) {
				if (r.Host == "login.test") != (r.URL.Path == "/token") {
					http.NotFound(w, r)
					return
				}
				inner(w, r)
			}
		},
	}
	for name, login := range logins {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, s := newWorld(t), newShelf(t)
				content := disk(300, 1)
				s.has(file("disk/web.img", content))
				w.origin.does(login(s))
				cloud := w.start(nil).withNamespaces()
				a, err := cloud.fetched(loginOCI)
				require.NoError(t, err)
				cloud.requireDisk(a, content)
				for _, m := range cloud.messages(a.ID) {
					require.NotContains(t, m, "hush")
				}
				for _, source := range []string{imageOCI, strings.Replace(loginOCI, "hush", "mute", 1)} {
					a, err := cloud.fetched(source)
					require.ErrorIs(t, err, fault.Invalid)
					require.Contains(t, a.Error, "whether it wants a login")
					require.NotContains(t, a.Error, "secrets of the registry")
					require.NotContains(t, a.Error, "mute")
				}
			})
		})
	}
}

func TestARegistrySendsNobodyToLogInWhereItMust(t *testing.T) {
	t.Parallel()
	for name, realm := range map[string]string{
		"this host's metadata": "http://169.254.169.254/latest/meta-data", "a file": "file:///etc/shadow", "nowhere": "", "this host": "http://127.0.0.1:2379/",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, s := newWorld(t), newShelf(t)
				var asked []string
				inner := bearer(s, realm)
				w.origin.does(func(w http.ResponseWriter, r *http.Request) {
					asked = append(asked, r.Host)
					inner(w, r)
				})
				a, err := w.start(nil).withNamespaces().fetched(loginOCI)
				require.ErrorIs(t, err, fault.Invalid)
				require.Contains(t, a.Error, "sends us to log in where that is not allowed")
				for _, host := range asked {
					require.Equal(t, "registry.test", host)
				}
			})
		})
	}
}

func TestARegistrySendsNobodyForALayerWhereItMust(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]string{"elsewhere": "http://169.254.169.254/latest", "a file": "file:///etc/shadow", "in circles": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.has(file("disk/web.img", disk(10, 1)))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/blobs/") {
					http.Redirect(w, r, where, http.StatusTemporaryRedirect)
					return
				}
				s.ServeHTTP(w, r)
			}))
			defer server.Close()
			cloud := newWorld(t).start(nil, func(a *artifact.Deps, _ *blob.Deps) { a.Client = nil }).withNamespaces()
			a, err := cloud.fetched(strings.Replace(server.URL, "http://", "oci://", 1) + "/disks/web:1")
			require.Error(t, err)
			require.NotErrorIs(t, err, fault.Unavailable)
			require.Equal(t, artifact.Error, a.State)
			require.Contains(t, a.Error, map[string]string{"elsewhere": "IMAGE_SOURCE_ALLOW", "a file": "neither http", "in circles": "redirected more than"}[name])
		})
	}
}

func TestAnImageThatIsTheSameIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), newShelf(t)
		first, second := disk(300, 1), disk(300, 2)
		s.has(file("disk/web.img", first))
		w.origin.does(s.ServeHTTP)
		cloud := w.start(nil).withNamespaces()
		a, err := cloud.fetched(imageOCI)
		require.NoError(t, err)
		require.Len(t, s.ranges, 1)

		_, err = cloud.fetched(imageOCI)
		require.NoError(t, err)
		require.Len(t, s.ranges, 1, "the layer was asked for again")
		require.Contains(t, cloud.messages(a.ID), "image unchanged at its source")

		s.has(file("disk/web.img", second))
		a, err = cloud.fetched(imageOCI)
		require.NoError(t, err)
		cloud.requireDisk(a, second)
		require.Len(t, a.Versions, 2)

		w.origin.does(nil)
		a, err = cloud.fetched(imageOCI)
		require.NoError(t, err)
		cloud.requireDisk(a, second)
		require.Contains(t, cloud.messages(a.ID), "image could not be looked at again, using the version that is there")

		w.origin.does(basic(s))
		a, err = cloud.fetched(imageOCI)
		require.NoError(t, err)
		cloud.requireDisk(a, second)
	})
}

func TestARegistryThatIsDownIsAskedAgainAndThenGivenUp(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"away": nil, "overloaded": status(http.StatusServiceUnavailable), "too often": status(http.StatusTooManyRequests),
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.origin.does(answer)
				cloud := w.start(nil).withNamespaces()
				before := time.Now()
				a, err := cloud.fetched(imageOCI)
				require.ErrorIs(t, err, fault.Unavailable)
				require.Equal(t, artifact.Error, a.State)
				require.InDelta(t, 20, time.Since(before).Seconds(), 10)
			})
		})
	}
}

func TestALayerThatStallsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), newShelf(t)
		layer := s.layer(typeTar, tarOf(t, file("disk/web.img", disk(3000, 1))))
		s.image("1", layer)
		w.origin.does(func(out http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, layer.Digest) {
				s.ServeHTTP(out, r)
				return
			}
			out.Header().Set("Content-Length", strconv.FormatInt(layer.Size, 10))
			_, _ = out.Write(s.blobs[layer.Digest][:9000])
			_ = http.NewResponseController(out).Flush()
			<-r.Context().Done()
		})
		a, err := w.start(nil).withNamespaces().fetched(imageOCI)
		require.ErrorIs(t, err, fault.Unavailable)
		require.Contains(t, a.Error, "the server sent nothing for 30s")
		synctest.Wait()
		require.Empty(t, w.files())
	})
}

func TestURLsOfImagesInRegistriesAreLookedAtFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newWorld(t).start(nil).withNamespaces()
		for _, url := range []string{"oci://", "oci://who:hush@registry.test/Web", "oci+http://who:hush@registry.test", "oci+https://registry.test/web"} {
			_, err := cloud.artifacts.Cache(cloud.ctx, artifact.Request{URL: url, Namespace: "tenant"})
			require.ErrorIs(t, err, fault.Invalid, url)
			require.NotContains(t, fault.Text(err), "hush", url)
		}
	})
}

// A registry of the library that others use too is filled from a layout directory, which is how images travel as files.
func TestAnImageOfALayoutDirectoryIsFetchedFromARegistry(t *testing.T) {
	t.Parallel()
	content := disk(300, 1)
	path, err := layout.Write(filepath.Join(t.TempDir(), "layout"), empty.Index)
	require.NoError(t, err)
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(tarOf(t, file("disk/web.img", content)), types.OCIUncompressedLayer))
	require.NoError(t, err)
	require.NoError(t, path.AppendImage(image, layout.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"})))

	server := httptest.NewServer(ocilibrary.New(ocilibrary.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))))
	defer server.Close()
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/disks/web:1")
	require.NoError(t, err)
	index, err := path.ImageIndex()
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(tag, index))

	w := newWorld(t)
	cloud := w.start(nil, func(a *artifact.Deps, _ *blob.Deps) { a.Client = nil }).withNamespaces()
	a, err := cloud.fetched("oci://" + tag.Name())
	require.NoError(t, err)
	cloud.requireDisk(a, content)
}
