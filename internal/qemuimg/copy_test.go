//go:build linux

package qemuimg_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/qemuimg"
)

const mib = int64(1) << 20

// tool runs one of QEMU's programs.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// chain makes a disk of 32 MiB over a middle one over a base, each of which has written something that it alone has.
func chain(t *testing.T, dir string) (disk string, backing []string) {
	t.Helper()
	over := ""
	for _, name := range []string{"base", "middle", "disk"} {
		path := filepath.Join(dir, name)
		if err := qemuimg.Create(t.Context(), path, 32*mib, over); err != nil {
			t.Fatal(err)
		}
		over = path
	}
	disk, backing = filepath.Join(dir, "disk"), []string{filepath.Join(dir, "middle"), filepath.Join(dir, "base")}
	tool(t, "qemu-io", "-f", "qcow2", "-c", "write -P 1 0 12M", backing[1])
	tool(t, "qemu-io", "-f", "qcow2", "-c", "write -P 2 4M 4M", backing[0])
	tool(t, "qemu-io", "-f", "qcow2", "-c", "write -P 3 5M 1M", "-c", "write -z 8M 2M", "-c", "write -P 3 31M 1M", disk)
	return disk, backing
}

func same(t *testing.T, a, b string) {
	t.Helper()
	tool(t, "qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", a, b)
}

func TestAFlatCopyHasAllThatCanBeRead(t *testing.T) {
	dir := folder(t)
	disk, backing := chain(t, dir)
	for name, compress := range map[string]bool{"plain": false, "compressed": true} {
		dst := filepath.Join(dir, name)
		src := qemuimg.Source{Path: disk, Format: "qcow2", Backing: backing}
		if err := qemuimg.Copy(t.Context(), src, dst, qemuimg.To{Size: 32 * mib, Compress: compress}); err != nil {
			t.Fatal(err)
		}
		same(t, disk, dst)
		if h := header(t, dst); h.BackingOffset != 0 || h.Size != 32*mib || h.ClusterSize != qemuimg.ClusterSize || (h.Compression == 1) != compress {
			t.Errorf("the %s copy is %+v", name, h)
		}
	}
}

func TestAThinCopyHasWhatTheDiskItselfHas(t *testing.T) {
	dir := folder(t)
	disk, backing := chain(t, dir)
	for name, compress := range map[string]bool{"plain": false, "compressed": true} {
		dst := filepath.Join(dir, name)
		src := qemuimg.Source{Path: disk, Format: "qcow2", Backing: backing}
		if err := qemuimg.Copy(t.Context(), src, dst, qemuimg.To{Size: 32 * mib, Compress: compress, Base: "middle"}); err != nil {
			t.Fatal(err)
		}
		same(t, disk, dst) // what it names is in the same folder here
		info := tool(t, "qemu-img", "info", "-f", "qcow2", dst)
		if !strings.Contains(info, "backing file: middle") || !strings.Contains(info, "backing file format: qcow2") {
			t.Errorf("the header of the %s copy does not name the base as it should:\n%s", name, info)
		}
		was, err := os.Stat(disk)
		if err != nil {
			t.Fatal(err)
		}
		if is, err := os.Stat(dst); err != nil || is.Size() > was.Size() {
			t.Errorf("the %s copy has %d bytes, its disk %d: it has more than the disk itself, %v", name, is.Size(), was.Size(), err)
		}
	}
}

func TestACopyReadsNothingThatAHeaderNames(t *testing.T) {
	dir := folder(t)
	disk, backing := chain(t, dir)
	tool(t, "qemu-img", "rebase", "-u", "-f", "qcow2", "-b", filepath.Join(dir, "nowhere"), "-F", "qcow2", disk)
	dst := filepath.Join(dir, "dst")
	src := qemuimg.Source{Path: disk, Format: "qcow2", Backing: backing}
	if err := qemuimg.Copy(t.Context(), src, dst, qemuimg.To{Size: 32 * mib}); err != nil {
		t.Errorf("the chain was given, but the header's was followed: %v", err)
	}
	for name, wrong := range map[string][]string{"short": backing[:1], "none": nil, "too long": append(backing[:2:2], backing[1])} {
		src.Backing = wrong
		if err := qemuimg.Copy(t.Context(), src, filepath.Join(dir, "x"), qemuimg.To{Size: 32 * mib}); !errors.Is(err, fault.Invalid) {
			t.Errorf("a chain that is %s: error is %v, want invalid", name, err)
		}
	}
	src.Backing = []string{filepath.Join(dir, "gone")}
	if err := qemuimg.Copy(t.Context(), src, filepath.Join(dir, "x"), qemuimg.To{Size: 32 * mib}); !errors.Is(err, fault.NotFound) {
		t.Errorf("a base that is gone: error is %v, want not found", err)
	}
	src.Backing = nil
	if err := qemuimg.Copy(t.Context(), src, filepath.Join(dir, "x"), qemuimg.To{Size: 32 * mib, Base: "middle"}); !errors.Is(err, fault.Invalid) {
		t.Errorf("a thin copy without its base: error is %v, want invalid", err)
	}
}

// A disk whose guest was killed may have clusters that nobody refers to, so that its file is larger than any copy of it.
func TestACommitIsNotHeldToTheSizeOfACopy(t *testing.T) {
	dir := folder(t)
	disk, held := filepath.Join(dir, "disk"), filepath.Join(dir, "held")
	if err := qemuimg.Create(t.Context(), disk, 64*mib, ""); err != nil {
		t.Fatal(err)
	}
	tool(t, "qemu-io", "-f", "qcow2", "-c", "write -P 1 0 64M", disk)
	tool(t, "qemu-img", "snapshot", "-c", "lost", disk) // has all of it written anew
	if err := qemuimg.CreateOverlay(t.Context(), held, 64*mib, disk); err != nil {
		t.Fatal(err)
	}
	tool(t, "qemu-io", "-f", "qcow2", "-c", "write -P 2 0 64M", held)
	if err := qemuimg.Commit(t.Context(), held, disk); err != nil {
		t.Fatalf("what the guest wrote last cannot be merged: %v", err)
	}
	same(t, held, disk)
	if out := tool(t, "qemu-io", "-f", "qcow2", "-c", "read -P 2 0 64M", disk); strings.Contains(out, "failed") {
		t.Error(out)
	}
}

func TestACommitMergesIntoTheDiskAndNoFurther(t *testing.T) {
	dir := folder(t)
	disk, backing := chain(t, dir)
	held, want := filepath.Join(dir, "held"), filepath.Join(dir, "want")
	// Small clusters: where the disk has none, what lies beneath has to be read to fill up one of 2 MiB.
	tool(t, "qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=64k", "-b", disk, "-F", "qcow2", held, "32M")
	tool(t, "qemu-io", "-f", "qcow2", "-c", "write -P 4 1M 64k", "-c", "write -P 4 5M 64k", held)
	src := qemuimg.Source{Path: held, Format: "qcow2", Backing: append([]string{disk}, backing...)}
	if err := qemuimg.Copy(t.Context(), src, want, qemuimg.To{Size: 32 * mib}); err != nil {
		t.Fatal(err)
	}
	if err := qemuimg.Commit(t.Context(), held, disk); !errors.Is(err, fault.Invalid) {
		t.Errorf("a merge that does not know what lies beneath: error is %v, want invalid", err)
	}
	for range 2 {
		if err := qemuimg.Commit(t.Context(), held, disk, backing...); err != nil {
			t.Fatal(err)
		}
		same(t, want, disk)
	}
	if out := tool(t, "qemu-io", "-f", "qcow2", "-c", "read -P 2 4M 4M", backing[0]); !strings.Contains(out, "read 4194304") {
		t.Errorf("the middle was changed: %s", out)
	}
}

func TestACopyEndsWhenThereIsNoMoreRoom(t *testing.T) {
	dir := folder(t)
	src, asked := slow(t, dir), atomic.Int32{}
	full := errors.New("reserved")
	err := qemuimg.Copy(t.Context(), src, filepath.Join(dir, "dst"), qemuimg.To{Size: 1 << 30, Compress: true, Room: func() error {
		if asked.Add(1) > 1 {
			return full
		}
		return nil
	}})
	if !errors.Is(err, fault.Exhausted) || !errors.Is(err, full) || asked.Load() != 2 {
		t.Errorf("asked %d times for room; error is %v, want exhausted", asked.Load(), err)
	}
	dst := filepath.Join(dir, "never")
	err = qemuimg.Copy(t.Context(), src, dst, qemuimg.To{Size: 1 << 30, Room: func() error { return full }})
	if _, missing := os.Stat(dst); !errors.Is(err, fault.Exhausted) || !os.IsNotExist(missing) {
		t.Errorf("no room from the start: error is %v, want exhausted and no file", err)
	}
}

func TestACopyThatIsQuickHasNoMoreRoomEither(t *testing.T) {
	dir := folder(t)
	src := qemuimg.Source{Path: filepath.Join(dir, "src"), Format: "qcow2"}
	if err := qemuimg.Create(t.Context(), src.Path, 1<<20, ""); err != nil {
		t.Fatal(err)
	}
	dst, full := filepath.Join(dir, "dst"), errors.New("reserved")
	err := qemuimg.Copy(t.Context(), src, dst, qemuimg.To{Size: 1 << 20, Room: func() error {
		if _, err := os.Stat(dst); err == nil {
			return full
		}
		return nil
	}})
	if !errors.Is(err, fault.Exhausted) || !errors.Is(err, full) {
		t.Errorf("error is %v, want exhausted", err)
	}
}

func TestACopyEndsWithItsContext(t *testing.T) {
	dir := folder(t)
	src := slow(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	err := qemuimg.Copy(ctx, src, filepath.Join(dir, "dst"), qemuimg.To{Size: 1 << 30, Room: func() error {
		cancel()
		return nil
	}})
	if !errors.Is(err, fault.Unavailable) {
		t.Errorf("error is %v, want unavailable", err)
	}
	if left := running(t, dir); len(left) != 0 {
		t.Errorf("qemu-img goes on: %v", left)
	}
}
