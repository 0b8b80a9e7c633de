//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/needs"
)

// TestForeignImagesKeepTheirContent has qemu-img make images of every format that is taken, and compares what the driver
// makes of them with what they were made of.
func TestForeignImagesKeepTheirContent(t *testing.T) {
	library(t)
	if err := needs.CheckCommands("qemu-img"); err != nil {
		needs.Missing(t, needs.Qemu, err)
	}
	dir := t.TempDir()
	node := filepath.Join(dir, "node.xml")
	if err := os.WriteFile(node, []byte(nodeFile), 0o600); err != nil {
		t.Fatal(err)
	}
	d := opened(t, Options{URI: "test://" + node})
	raw := make([]byte, 9<<20) // with holes, with what can be compressed, and with what can not
	src := rand.NewChaCha8([32]byte{})
	_, _ = src.Read(raw[1<<20 : 3<<20])
	copy(raw[6<<20:], strings.Repeat("the quick brown fox ", 50000))
	data := filepath.Join(dir, "data.raw")
	if err := os.WriteFile(data, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	tool := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "qemu-img", args...).CombinedOutput(); err != nil {
			t.Errorf("qemu-img %v: %v: %s", args, err, out)
		}
	}
	for _, c := range []struct {
		format        hypervisor.Format
		name, options string
	}{
		{hypervisor.QCOW2, "qcow2", "compat=1.1"},
		{hypervisor.QCOW2, "qcow2", "extended_l2=on,cluster_size=128k,compression_type=zstd"},
		{hypervisor.VMDK, "vmdk", "subformat=monolithicSparse"},
		{hypervisor.VMDK, "vmdk", "subformat=streamOptimized"},
		{hypervisor.VDI, "vdi", "static=off"},
		{hypervisor.VDI, "vdi", "static=on"},
		{hypervisor.VHD, "vpc", "subformat=dynamic"},
		{hypervisor.VHD, "vpc", "subformat=dynamic,force_size=on"},
		{hypervisor.VHD, "vpc", "subformat=fixed"},
	} {
		image, made := filepath.Join(dir, "image"), filepath.Join(dir, "made")
		tool("convert", "-f", "raw", "-O", c.name, "-o", c.options, data, image)
		if err := d.Convert(t.Context(), hypervisor.Image{Path: image, Format: c.format}, made); err != nil {
			t.Errorf("%s (%s): %s", c.name, c.options, fault.Text(err))
			continue
		}
		tool("compare", "-f", "raw", "-F", "qcow2", data, made)
		if err := os.Remove(made); err != nil {
			t.Error(err)
		}
	}
}

func TestImagesLeaveRoomOnTheDisk(t *testing.T) {
	library(t)
	dir := t.TempDir()
	node := filepath.Join(dir, "node.xml")
	if err := os.WriteFile(node, []byte(nodeFile), 0o600); err != nil {
		t.Fatal(err)
	}
	d := opened(t, Options{URI: "test://" + node, MinFree: 1 << 60})
	data := filepath.Join(dir, "data.raw")
	if err := os.WriteFile(data, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	err := d.Convert(t.Context(), hypervisor.Image{Path: data, Format: hypervisor.Raw}, filepath.Join(dir, "made"))
	if fault.KindOf(err) != fault.Exhausted || !strings.Contains(fault.Text(err), "are to stay free") {
		t.Errorf("error is %v, want exhausted", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "made*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
