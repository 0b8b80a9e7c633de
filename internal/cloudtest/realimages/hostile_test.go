//go:build prove && cgo && libvirt_dlopen

package realimages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
	"github.com/shakenfist/shakenfist/internal/hostileimage"
	"github.com/shakenfist/shakenfist/internal/needs"
)

// TestProveHostileImages hands every hostile image to a real daemon, and asks both the kernel and strace whether anything
// opened the file that they name: the daemon, or what it runs.
func TestProveHostileImages(t *testing.T) {
	w := cloudtest.Here(t)
	defer w.Close(t)
	needs.Tools(t, needs.Qemu, "strace", "qemu-img")
	ctx := cloudtest.Bounded(t, 5*time.Minute)
	w.Env = []string{"SHAKENFIST_IMAGE_MAX_SIZE=" + strconv.FormatFloat(float64(hostileimage.Unpacked)/(1<<30), 'f', -1, 64)}
	p := w.Start(ctx, t, cloudtest.Point{})
	defer func() {
		if t.Failed() {
			t.Log(p.Log())
		}
	}()
	canary, opened := cloudtest.Canary(t, w.Dir)
	trace := filepath.Join(w.Dir, "trace")
	strace := exec.CommandContext(ctx, "strace", "-f", "-q", "-s", "4096", "-e", "trace=open,openat,openat2,execve", "-o", trace,
		"-p", strconv.Itoa(p.PID))
	require.NoError(t, strace.Start())
	attached := func() bool {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/status")
		return err == nil && strings.Contains(string(text), "TracerPid:\t"+strconv.Itoa(strace.Process.Pid)+"\n")
	}
	for !attached() {
		require.NoError(t, ctx.Err())
		time.Sleep(10 * time.Millisecond) // nothing tells
	}
	n := cloudtest.RefusesHostileImages(ctx, t, p.Client, canary, true)
	require.NoError(t, strace.Process.Signal(syscall.SIGINT))
	_ = strace.Wait() // it was told to end
	require.False(t, opened(), "the file that hostile images name was opened")
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	opens := strings.Count(string(text), "open")
	require.Greater(t, opens, n, "strace saw nothing of the daemon's work")
	for line := range strings.Lines(string(text)) {
		require.NotContains(t, line, canary)
		require.NotContains(t, line, "/dev/sda")
	}
	left, err := filepath.Glob(filepath.Join(w.State(), "blobs", "*", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
	t.Logf("proof: %d hostile images, each by URL, by upload and from a container registry to a real daemon: all refused with their reason, nothing stored; of %d files opened by the daemon and its children (strace) none is one that an image names, and the kernel (inotify) saw no access to it",
		n, opens)
	p.Stop()
}
