package cloudtest_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/cli"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// shop has one image: as a file, from a bare web server, and as a blob of a cloud.
type shop struct {
	file   string // the image
	sha512 string // lower-case hex
	bare   string // its URL at the web server
	api    string // the cloud's URL
	id     string // the artifact's
	blobs  string // where the cloud keeps content
	to     string // where downloads go
}

// newShop makes an image of so many bytes, which no compression makes smaller. Change may change the cloud's configuration.
func newShop(t testing.TB, size int64, change ...func(*shakenfist.Config)) *shop {
	t.Helper()
	s := &shop{file: filepath.Join(t.TempDir(), "disk.raw"), to: filepath.Join(t.TempDir(), "downloaded")}
	f, err := os.Create(s.file)
	require.NoError(t, err)
	sum := sha512.New()
	_, err = io.CopyN(io.MultiWriter(f, sum), rand.NewChaCha8([32]byte{7}), size)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	s.sha512 = hex.EncodeToString(sum.Sum(nil))
	bare := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(s.file))))
	t.Cleanup(bare.Close)
	s.bare = bare.URL + "/disk.raw"
	dir := t.TempDir() // on the same disk
	s.blobs = filepath.Join(dir, "blobs")
	s.api = newPlant(t, memstore.New(), append(change, func(c *shakenfist.Config) { c.Dir = dir })...).url
	s.id = s.run(t, "-o", "name", "artifact", "cache", s.bare, "--wait")
	return s
}

// run runs the command line as an operator and returns what it says.
func (s *shop) run(t testing.TB, args ...string) string {
	t.Helper()
	var out, trouble bytes.Buffer
	args = append([]string{"--apiurl", s.api, "--namespace", "system", "--key", "system"}, args...)
	require.Zero(t, cli.Main(args, strings.NewReader(""), &out, &trouble), "%s", &trouble)
	return strings.TrimSpace(out.String())
}

// fails runs the command line and returns what it complains of.
func (s *shop) fails(t testing.TB, args ...string) string {
	t.Helper()
	var trouble bytes.Buffer
	args = append([]string{"--apiurl", s.api, "--namespace", "system", "--key", "system"}, args...)
	require.NotZero(t, cli.Main(args, strings.NewReader(""), io.Discard, &trouble))
	return trouble.String()
}

// fromCloud downloads the image by the command line.
func (s *shop) fromCloud(t testing.TB) {
	t.Helper()
	s.run(t, "artifact", "download", s.id, s.to)
}

// fromBare downloads the image from the web server, makes its checksum meanwhile, and sees it safe on disk.
func (s *shop) fromBare(t testing.TB) {
	t.Helper()
	resp, err := http.Get(s.bare)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // only read
	f, err := os.Create(s.to)
	require.NoError(t, err)
	sum := sha512.New()
	_, err = io.Copy(io.MultiWriter(f, sum), resp.Body)
	require.NoError(t, err)
	require.Equal(t, s.sha512, hex.EncodeToString(sum.Sum(nil)))
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

// byRsync copies the file by rsync, which makes checksums of its own.
func (s *shop) byRsync(t testing.TB) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "rsync", "--whole-file", "--fsync", s.file, s.to).CombinedOutput()
	require.NoError(t, err, string(out))
}

// again removes what was downloaded.
func (s *shop) again(t testing.TB) {
	t.Helper()
	require.NoError(t, os.Remove(s.to))
}

func TestADownloadByTheCommandLineIsTheImage(t *testing.T) {
	t.Parallel()
	s := newShop(t, 3<<20)
	s.fromCloud(t)
	content, err := os.ReadFile(s.to)
	require.NoError(t, err)
	sum := sha512.Sum512(content)
	require.Equal(t, s.sha512, hex.EncodeToString(sum[:]))
}

func TestContentThatIsDamagedOrGoneIsSaidToBeMissing(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"damaged": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte("x"), 1000)
			return errors.Join(err, f.Close())
		},
		"cut off": func(path string) error { return os.Truncate(path, 1000) },
		"gone":    os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 1<<20, func(c *shakenfist.Config) { c.VerifyEvery = 20 * time.Millisecond })
			c, err := client.New(client.Options{BaseURL: s.api, Namespace: "system", Key: "system"})
			require.NoError(t, err)
			a, err := c.GetArtifact(t.Context(), s.id)
			require.NoError(t, err)
			require.NoError(t, spoil(filepath.Join(s.blobs, a.BlobUUID[:2], a.BlobUUID)))
			require.Eventually(t, func() bool {
				content, err := c.BlobData(t.Context(), a.BlobUUID, 0, 0)
				if err != nil {
					require.ErrorIs(t, err, fault.NotFound)
					require.Contains(t, fault.Text(err), "blob missing: ")
					return true
				}
				return content.Close() != nil
			}, 30*time.Second, 10*time.Millisecond)
			require.Contains(t, s.fails(t, "artifact", "download", s.id, s.to), "Resource not found: blob missing: ")
			require.NoFileExists(t, s.to)
		})
	}
}

// BenchmarkDownload downloads 256 MiB over loopback with their checksum: from a cloud by the command line, from a bare web
// server, and by rsync between files.
func BenchmarkDownload(b *testing.B) {
	const size = 256 << 20
	s := newShop(b, size)
	for name, get := range map[string]func(testing.TB){"cloud": s.fromCloud, "http.FileServer": s.fromBare, "rsync": s.byRsync} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				get(b)
				s.again(b)
			}
		})
	}
}
