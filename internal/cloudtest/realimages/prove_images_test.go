//go:build prove

package realimages_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
	"github.com/shakenfist/shakenfist/internal/guestimage"
	"github.com/shakenfist/shakenfist/internal/hostdiff"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

// TestProveKilledOverImages kills a real daemon at the steps that only a life of images has, and looks at every place of the
// host afterwards. TestProveKilledAtEveryStep has the others.
func TestProveKilledOverImages(t *testing.T) {
	dir := pretendhost.Inside(t)
	look := hostdiff.Options{Ignore: []string{"temporary files", "home", "logs", "state of programs"}}
	fresh := func(t testing.TB) cloudtest.World {
		t.Helper()
		return cloudtest.NewReal(t, dir, guestimage.Tiny(t), look)
	}
	k := cloudtest.KillInCourse(t, fresh, cloudtest.ImageCourse, 3*time.Minute, cloudtest.OfImages(cloudtest.Rims))
	require.GreaterOrEqual(t, k.Steps, fewestOfImages)
	require.Empty(t, k.Missed)
	t.Logf("proof: real libvirt, qemu-img and etcd: a life of a download, an upload, snapshots of a running guest (whole and thin) and of one that is off, a label and a guest of it, of %d steps: N = %d kill points of its own (kill -9), all as wanted after a restart, nothing left; longest recovery %s",
		k.Steps, k.Points, k.Longest.Round(time.Millisecond))
}

// TestProveDeathOverSnapshots has what snapshots need die while they are taken. Each is taken all the same, and nothing is
// left.
func TestProveDeathOverSnapshots(t *testing.T) {
	for _, one := range []struct {
		name string
		when func(*testing.T) // a disk is being copied
	}{
		{"qemu-img dies", func(t *testing.T) { t.Helper(); killed(t, "qemu-img", ".copy") }},
		{"the guest dies", func(t *testing.T) { t.Helper(); killed(t, "qemu-system", "sf:") }},
		{"libvirtd dies", libvirtdAgain},
	} {
		t.Run(one.name, func(t *testing.T) { dies(t, one.name, one.when) })
	}
}

// dies takes a snapshot of a running guest and has something die while its disk is being copied. The snapshot is taken, the
// guest's disk has all that it wrote, and so has one that is born of the copy.
func dies(t *testing.T, name string, when func(*testing.T)) {
	t.Helper()
	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, 5*time.Minute)
	p := w.Start(ctx, t, cloudtest.Point{})
	defer p.SayWhenFailed(t)
	i := booted(ctx, t, w, p)
	taken, err := p.Client.SnapshotInstance(ctx, i.UUID, api.TakeSnapshot{Flatten: true})
	require.NoError(t, err)
	awaitProcess(ctx, t, "qemu-img", taken["vda"].Blob)
	when(t)
	s := awaitSnapshot(ctx, t, p.Client, i.UUID, taken["vda"].Blob)

	require.Eventually(t, func() bool {
		held, err := filepath.Glob(filepath.Join(w.State(), "instances", "*", "*.held"))
		require.NoError(t, err)
		return len(held) == 0
	}, time.Minute, 50*time.Millisecond, "nothing is held")
	require.NoError(t, p.Client.PowerOff(ctx, i.UUID))
	require.NoError(t, p.Client.PowerOn(ctx, i.UUID))
	_, err = cloudtest.Console(ctx, p.Client, i.UUID, "TINY-BOOTCOUNT 2")
	require.NoError(t, err, "the guest's disk is whole")
	born, err := p.Client.CreateInstance(ctx, cloudtest.Tiny("born", "sf://snapshot/"+s.UUID, ""))
	require.NoError(t, err)
	_, err = cloudtest.Console(ctx, p.Client, born.UUID, "TINY-BOOTCOUNT 2")
	require.NoError(t, err, "the copy is whole")
	cloudtest.GoesCleanly(ctx, t, p.Client, w)
	p.Stop()
	t.Logf("proof: %s while the disk of a running guest is copied: the snapshot is taken, both disks are whole, nothing is left", name)
}

// processes lists those of a program whose arguments have a text.
func processes(t testing.TB, program, text string) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []int
	for _, path := range all {
		line, err := os.ReadFile(path)
		name, _, _ := bytes.Cut(line, []byte{0})
		if err != nil || !strings.HasPrefix(filepath.Base(string(name)), program) || !bytes.Contains(line, []byte(text)) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		require.NoError(t, err)
		found = append(found, pid)
	}
	return found
}

func awaitProcess(ctx context.Context, t testing.TB, program, text string) {
	t.Helper()
	for len(processes(t, program, text)) == 0 {
		require.NoError(t, context.Cause(ctx), "no %s for %s came", program, text)
		time.Sleep(time.Millisecond) // it lives for a moment only
	}
}

// killed kills the processes of a program whose arguments have a text.
func killed(t testing.TB, program, text string) {
	t.Helper()
	all := processes(t, program, text)
	require.NotEmpty(t, all, "no %s to kill", program)
	for _, pid := range all {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
}

// libvirtdAgain kills libvirtd and starts it again.
func libvirtdAgain(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("/run/libvirtd.pid")
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, 10*time.Second, time.Millisecond)
	out, err := exec.CommandContext(t.Context(), "libvirtd", "-d").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestProveASnapshotForWhichThereIsNoRoom says how that ends.
func TestProveASnapshotForWhichThereIsNoRoom(t *testing.T) { fullOverSnapshot(t) }
