package qcow2_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/shakenfist/shakenfist/internal/qcow2"
)

func TestAnEmptyImageIsWhole(t *testing.T) {
	for _, size := range []int64{512, 1 << 20, 1<<28 + 512, 20 << 30, qcow2.MaxSize} {
		b := qcow2.Empty(size, "")
		h, err := qcow2.Whole(bytes.NewReader(b), int64(len(b)), qcow2.MaxSize)
		if err != nil || h.Size != size {
			t.Errorf("an image of %d bytes reads as one of %d, %v", size, h.Size, err)
		}
		if _, err := exec.LookPath("qemu-img"); err != nil {
			continue
		}
		path := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "qemu-img", "check", "-f", "qcow2", path).CombinedOutput(); err != nil {
			t.Errorf("qemu-img finds fault with an image of %d bytes: %v: %s", size, err, out)
		}
	}
}

func TestAnEmptyImageNamesWhatIsBeneath(t *testing.T) {
	h, err := qcow2.Read(bytes.NewReader(qcow2.Empty(1<<30, "base.qcow2")))
	if err != nil || h.BackingOffset == 0 || h.BackingBytes != uint32(len("base.qcow2")) {
		t.Errorf("the header is %+v, %v", h, err)
	}
}
