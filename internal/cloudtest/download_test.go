package cloudtest_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
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
	to     string // where downloads go
}

// newShop makes an image of so many bytes, which no compression makes smaller.
func newShop(t testing.TB, size int64) *shop {
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
	s.api = newPlant(t, memstore.New(), func(c *shakenfist.Config) { c.Dir = dir }).url
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

// fromCloud downloads the image by the command line.
func (s *shop) fromCloud(t testing.TB) {
	t.Helper()
	s.run(t, "artifact", "download", s.id, s.to)
}

// fromBare downloads the image from the web server, makes its checksum meanwhile, and sees it safe on disk.
func (s *shop) fromBare(t testing.TB) {
	t.Helper()
	resp, err := http.Get(s.bare) //nolint:noctx // over loopback
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
