//go:build linux

package qemuimg_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/shakenfist/shakenfist/internal/qemuimg"
)

// TestAQemuImgWithoutZstdCompressesWithZlib has a qemu-img before the real one that says what builds without zstd say, or
// ones from before there was a choice.
func TestAQemuImgWithoutZstdCompressesWithZlib(t *testing.T) {
	dir := folder(t)
	real, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Fatal(err)
	}
	raw := filepath.Join(dir, "raw")
	if err := os.WriteFile(raw, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for n, says := range []string{
		"error while converting qcow2: Parameter 'compression-type' does not accept value 'zstd'", "Invalid parameter 'compression_type'",
	} {
		bin := filepath.Join(dir, fmt.Sprintf("bin%d", n))
		script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *zstd*) echo \"qemu-img: %s\" >&2; exit 1;; esac\nexec %s \"$@\"\n", says, real)
		if err := os.Mkdir(bin, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, "qemu-img"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		dst := filepath.Join(dir, fmt.Sprintf("dst%d", n))
		if err := qemuimg.Copy(t.Context(), qemuimg.Source{Path: raw, Format: "raw"}, dst, qemuimg.To{Size: 5 << 20, Compress: true}); err != nil {
			t.Fatal(err)
		}
		if h := header(t, dst); h.Compression != 0 || h.Size != 5<<20 {
			t.Errorf("after %q the copy is %+v, want one compressed by zlib", says, h)
		}
	}
}
