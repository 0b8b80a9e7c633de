package real_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

func TestTroubleOnARealHost(t *testing.T) { trouble(t) }

// trouble goes through everything that can make an instance impossible.
func trouble(t *testing.T) {
	t.Helper()
	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, 5*time.Minute)
	p := w.Start(ctx, t, cloudtest.Point{})
	defer p.SayWhenFailed(t)
	for _, b := range cloudtest.BadImages() {
		t.Run(b.Name, func(t *testing.T) { b.Fails(ctx, t, p.Client, w) })
	}
	t.Run("no address left", func(t *testing.T) { cloudtest.NoAddressLeft(ctx, t, p.Client, w) })
	t.Run("no capacity", func(t *testing.T) { cloudtest.NoCapacity(ctx, t, p.Client) })
	t.Run("no room for the image", func(t *testing.T) {
		fullDisk(ctx, t, w, p, filepath.Join(w.State(), "blobs"), "8m", w.Image())
	})
	t.Run("no room for the disks", func(t *testing.T) {
		fullDisk(ctx, t, w, p, filepath.Join(w.State(), "instances"), "64k", "")
	})
	t.Run("libvirtd gone", func(t *testing.T) { libvirtdGone(ctx, t, w, p) })
}

// fullDisk mounts a small file system over a folder of the daemon and creates an instance that does not fit.
func fullDisk(ctx context.Context, t *testing.T, w *cloudtest.Real, p *cloudtest.Daemon, dir, size, image string) {
	t.Helper()
	require.NoError(t, syscall.Mount("small", dir, "tmpfs", 0, "mode=755,size="+size))
	unmount := func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) }
	took, message := cloudtest.Failure(ctx, t, p.Client, cloudtest.Tiny("full", image, ""))
	require.Less(t, took, cloudtest.Soon)
	require.Contains(t, message, "free")
	require.NoError(t, cloudtest.Down(ctx, p.Client))
	unmount()
	cloudtest.GoesCleanly(ctx, t, p.Client, w)
}

// libvirtdGone kills libvirtd, asks for an instance, and starts libvirtd again.
func libvirtdGone(ctx context.Context, t *testing.T, w *cloudtest.Real, p *cloudtest.Daemon) {
	t.Helper()
	text, err := os.ReadFile("/run/libvirtd.pid")
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	start := time.Now()
	i, err := p.Client.CreateInstance(ctx, cloudtest.Tiny("orphan", "", ""))
	if err == nil { // the node had not noticed yet
		_, message := cloudtest.FailureOf(ctx, t, p.Client, i.UUID, start)
		require.Contains(t, message, "libvirtd")
	} else {
		require.ErrorIs(t, err, fault.Exhausted)
		require.ErrorContains(t, err, "libvirtd")
	}
	require.Less(t, time.Since(start), 2*cloudtest.Soon)
	require.Eventually(t, func() bool {
		_, err = p.Client.CreateInstance(ctx, cloudtest.Tiny("orphan", "", ""))
		return errors.Is(err, fault.Exhausted) && strings.Contains(err.Error(), "libvirtd")
	}, cloudtest.Soon, 100*time.Millisecond, "the node says that it takes no instances: %v", err)

	out, err := exec.CommandContext(ctx, "libvirtd", "-d").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Eventually(t, func() bool {
		_, err := p.Client.CreateInstance(ctx, cloudtest.Tiny("back", "", ""))
		return err == nil
	}, 30*time.Second, 200*time.Millisecond, "the node takes instances again")
	cloudtest.GoesCleanly(ctx, t, p.Client, w)
}

// TestGuestDoesNotNoticeTheDaemon kills the daemon, starts it again, and ends it in order, while a guest is being pinged.
func TestGuestDoesNotNoticeTheDaemon(t *testing.T) { guestDoesNotNotice(t) }

func guestDoesNotNotice(t *testing.T) {
	t.Helper()
	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, 3*time.Minute)
	p := w.Start(ctx, t, cloudtest.Point{})
	i, err := cloudtest.Up(ctx, p.Client, w.Image())
	require.NoError(t, err)
	_, err = cloudtest.Console(ctx, p.Client, i.UUID, "TINY-READY web1", "via=dhcp")
	require.NoError(t, err)

	nic := i.Interfaces[0]
	ping := exec.CommandContext(ctx, "ip", "netns", "exec", nic.NetworkUUID, "ping", "-i0.05", "-W2", "-c160", *nic.IPv4)
	var said strings.Builder
	ping.Stdout = &said
	require.NoError(t, ping.Start())

	require.NoError(t, syscall.Kill(p.PID, syscall.SIGKILL))
	<-p.Dead
	for range 3 {
		p = w.Start(ctx, t, cloudtest.Point{})
		again, err := p.Client.GetInstance(ctx, i.UUID)
		require.NoError(t, err)
		require.Equal(t, "created", again.State)
		require.Equal(t, "on", again.PowerState)
		p.Stop()
	}
	require.NoError(t, ping.Wait(), "%s", &said)
	require.Contains(t, said.String(), " 0% packet loss")
	summary := said.String()[strings.LastIndex(said.String(), "statistics ---")+len("statistics ---"):]

	p = w.Start(ctx, t, cloudtest.Point{})
	console, err := cloudtest.Console(ctx, p.Client, i.UUID, "TINY-BOOTCOUNT 1")
	require.NoError(t, err)
	require.NotContains(t, console, "TINY-BOOTCOUNT 2")
	require.Equal(t, 1, strings.Count(console, "TINY-BOOT "))
	t.Logf("proof: a running guest while its daemon was killed once and started four times: %s; booted once",
		strings.Join(strings.Fields(summary)[:8], " "))
	cloudtest.GoesCleanly(ctx, t, p.Client, w)
	p.Stop()
}
