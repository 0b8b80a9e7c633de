//go:build linux

package qemuimg_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/needs"
	"github.com/shakenfist/shakenfist/internal/qcow2"
	"github.com/shakenfist/shakenfist/internal/qemuimg"
)

func folder(t *testing.T) string {
	t.Helper()
	if err := needs.CheckCommands("qemu-img"); err != nil {
		needs.Missing(t, needs.Qemu, err)
	}
	return t.TempDir()
}

// convert copies an image that is whole by itself.
func convert(t *testing.T, src, format string, size int64, dst string) error {
	t.Helper()
	return qemuimg.Copy(t.Context(), qemuimg.Source{Path: src, Format: format}, dst, qemuimg.To{Size: size})
}

func header(t *testing.T, path string) qcow2.Header {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	h, err := qcow2.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestADiskIsMadeOverItsBase(t *testing.T) {
	dir := folder(t)
	raw, base, disk := filepath.Join(dir, "raw"), filepath.Join(dir, "base"), filepath.Join(dir, "disk")
	if err := os.WriteFile(raw, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := convert(t, raw, "raw", 5<<20, base); err != nil {
		t.Fatal(err)
	}
	if h := header(t, base); h.Size != 5<<20 || h.ClusterSize != qemuimg.ClusterSize || h.BackingOffset != 0 {
		t.Errorf("base is %+v, want 5 MiB in clusters of 2 MiB, complete by itself", h)
	}
	if err := qemuimg.Create(t.Context(), disk, 8<<20, base); err != nil {
		t.Fatal(err)
	}
	if h := header(t, disk); h.Size != 8<<20 || h.ClusterSize != qemuimg.ClusterSize || h.BackingOffset == 0 {
		t.Errorf("disk is %+v, want 8 MiB in clusters of 2 MiB over its base", h)
	}
	if out, err := exec.CommandContext(t.Context(), "qemu-img", "check", "-f", "qcow2", disk).CombinedOutput(); err != nil {
		t.Errorf("qemu-img check: %v: %s", err, out)
	}
}

func TestABrokenImageIsInvalid(t *testing.T) {
	dir := folder(t)
	src := filepath.Join(dir, "src")
	if err := os.WriteFile(src, qcow2.Blank(1<<30, ""), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := convert(t, src, "qcow2", 1<<30, filepath.Join(dir, "dst")); !errors.Is(err, fault.Invalid) {
		t.Errorf("error is %v, want invalid", err)
	}
}

func TestAFullDiskIsExhausted(t *testing.T) {
	dir := folder(t)
	needs.Tools(t, needs.Root)
	small := filepath.Join(dir, "small")
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("small", small, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(small, 0); err != nil {
			t.Error(err)
		}
	})
	src := filepath.Join(dir, "src")
	if err := os.WriteFile(src, []byte(strings.Repeat("full", 2<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	err := convert(t, src, "raw", 8<<20, filepath.Join(small, "dst"))
	if !errors.Is(err, fault.Exhausted) || !strings.Contains(fault.Text(err), small) {
		t.Errorf("error is %v, want exhausted, naming %s", err, small)
	}
}

func TestAnImageThatWouldGrowTooLargeIsInvalid(t *testing.T) {
	dir := folder(t)
	src := filepath.Join(dir, "src")
	if err := os.WriteFile(src, []byte(strings.Repeat("huge", 48<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := convert(t, src, "raw", 512, filepath.Join(dir, "dst")); !errors.Is(err, fault.Invalid) {
		t.Errorf("error is %v, want invalid", err)
	}
}

func TestTheContextEndsQemuImg(t *testing.T) {
	dir := folder(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := qemuimg.Create(ctx, filepath.Join(dir, "disk"), 1<<30, ""); !errors.Is(err, fault.Unavailable) {
		t.Errorf("error is %v, want unavailable", err)
	}
}
