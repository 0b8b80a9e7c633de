//go:build prove

package blob_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/blob"
)

// TestProveFigureOfIngest stores a raw disk of 1 GiB, with all four checksums and safe on the disk, and copies it with cp
// and sums it with sha512sum, which makes one checksum and leaves the copy in memory. The source is in memory for both.
func TestProveFigureOfIngest(t *testing.T) {
	const size = 1 << 30
	for _, c := range []struct {
		what   string
		random int64 // bytes of it; zeroes follow
	}{{"random", size}, {"half random, half zero", size / 2}} {
		path := filepath.Join(t.TempDir(), "disk.raw")
		makeDisk(t, path, size, c.random)
		m := idle(t)
		var ours, theirs, synced []time.Duration
		for range 5 {
			cp, sync, sum := copyAndSum(t, path)
			theirs, synced = append(theirs, cp+sum), append(synced, cp+sync+sum)
			ours = append(ours, ingestFile(t, m, path, size))
		}
		a, b, s := median(ours), median(theirs), median(synced)
		rate := func(d time.Duration) string { return fmt.Sprintf("%.0f MB/s", size/1e6/d.Seconds()) }
		t.Logf("proof: ingest of 1 GiB raw (%s), four checksums, fsync: %s; cp and sha512sum: %s (ratio %.2f); cp, fsync and sha512sum: %s (ratio %.2f); medians of 5",
			c.what, rate(a), rate(b), b.Seconds()/a.Seconds(), rate(s), s.Seconds()/a.Seconds())
	}
}

func makeDisk(t *testing.T, path string, size, random int64) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // Sync tells
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{7}), random)
	require.NoError(t, err)
	// Zeroes that are there, and no hole: cp looks for holes.
	zeroes := make([]byte, 1<<20)
	for at := random; at < size; at += int64(len(zeroes)) {
		_, err = f.Write(zeroes)
		require.NoError(t, err)
	}
	_, err = f.WriteAt([]byte{0x55, 0xaa}, 510)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
}

func copyAndSum(t *testing.T, path string) (cp, sync, sum time.Duration) {
	t.Helper()
	to := path + ".copy"
	run := func(name string, args ...string) time.Duration {
		began := time.Now()
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return time.Since(began)
	}
	cp = run("cp", path, to)
	sum = run("sha512sum", to)
	sync = run("sync", to)
	require.NoError(t, os.Remove(to))
	return cp, sync, sum
}

func ingestFile(t *testing.T, m *blob.Manager, path string, size int64) time.Duration {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // only read
	began := time.Now()
	s, err := m.Ingest(t.Context(), blob.Content{Reader: f, Size: size})
	took := time.Since(began)
	require.NoError(t, err)
	defer s.Done()
	require.EqualValues(t, size, s.Size)
	require.NoError(t, os.Remove(m.Path(s.ID)))
	return took
}

func median(d []time.Duration) time.Duration { return slices.Sorted(slices.Values(d))[len(d)/2] }
