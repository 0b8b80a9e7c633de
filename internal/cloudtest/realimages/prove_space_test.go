//go:build prove && cgo && libvirt_dlopen

package realimages_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

// traffic is what a process and the programs it ran and waited for read and wrote.
type traffic struct {
	read, wrote   int64 // bytes that system calls moved, whether a disk had to move or not
	fetched, sent int64 // bytes that disks moved for them
}

func trafficOf(t *testing.T, pid int) traffic {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	require.NoError(t, err)
	var io traffic
	for line := range strings.Lines(string(text)) {
		for name, into := range map[string]*int64{"rchar": &io.read, "wchar": &io.wrote, "read_bytes": &io.fetched, "write_bytes": &io.sent} {
			if rest, ok := strings.CutPrefix(line, name+": "); ok {
				_, err := fmt.Sscan(rest, into)
				require.NoError(t, err)
			}
		}
	}
	return io
}

func (a traffic) since(b traffic) traffic {
	return traffic{a.read - b.read, a.wrote - b.wrote, a.fetched - b.fetched, a.sent - b.sent}
}

func (a traffic) String() string {
	return fmt.Sprintf("read %s and wrote %s (of disks: %s and %s)", sizeText(a.read), sizeText(a.wrote), sizeText(a.fetched), sizeText(a.sent))
}

// settle waits until a process does nothing of note any more: bootable images are read once more in the background, to become
// blobs.
func settle(t *testing.T, pid int) {
	t.Helper()
	for before := trafficOf(t, pid); ; {
		time.Sleep(3 * time.Second)
		now := trafficOf(t, pid)
		if now.since(before).read < 1<<20 {
			return
		}
		before = now
	}
}

func sizeText(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// onDisk is how many bytes of a disk the files of a folder take.
func onDisk(t *testing.T, dir string) int64 {
	t.Helper()
	sum := int64(0)
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var s syscall.Stat_t
		if err := syscall.Lstat(path, &s); err == nil {
			sum += s.Blocks * 512
		}
		return nil
	}))
	return sum
}

// TestProveSecondInstance counts what it takes to make instances of an image of 1 GiB, in bytes that the daemon and its
// children read and wrote.
func TestProveSecondInstance(t *testing.T) {
	const size = 1 << 30
	path := filepath.Join(pretendhost.Inside(t), "large.raw")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer os.Remove(path) //nolint:errcheck // below a folder that goes too
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), size)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	images := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }))
	defer images.Close()
	url := images.URL + "/large.raw"

	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, 10*time.Minute)
	p := w.Start(ctx, t, cloudtest.Point{})
	defer p.SayWhenFailed(t)
	var told []traffic
	var took []time.Duration
	step := func(do func()) {
		before, start := trafficOf(t, p.PID), time.Now()
		do()
		took = append(took, time.Since(start))
		settle(t, p.PID)
		told = append(told, trafficOf(t, p.PID).since(before))
	}
	settle(t, p.PID)
	step(func() {
		a, err := p.Client.CreateArtifact(ctx, api.CreateArtifact{URL: url})
		require.NoError(t, err)
		_, err = p.Client.WaitArtifact(ctx, a.UUID, nil)
		require.NoError(t, err)
	})
	var last string
	for range 3 {
		step(func() {
			i, err := p.Client.CreateInstance(ctx, cloudtest.Tiny("large", url, ""))
			require.NoError(t, err)
			last = i.UUID
			p.Await(ctx, t, i.UUID, "created")
		})
	}
	room := onDisk(t, filepath.Join(w.State(), "instances", last))
	t.Logf("proof: an image of 1 GiB: fetching it %s in %s; the first instance of it, and keeping what it boots from, %s in %s", told[0], round(took[0]), told[1], round(took[1]))
	t.Logf("proof: the second instance from the cached image: the daemon and its children %s in %s, the third %s; an instance's files take %s", told[2], round(took[2]), told[3], sizeText(room))
	for _, io := range told[2:] {
		require.Less(t, io.read, int64(64<<20))
		require.Less(t, io.wrote, int64(16<<20))
	}
	require.Less(t, room, int64(16<<20))
	cloudtest.GoesCleanly(ctx, t, p.Client, w)
	p.Stop()
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
