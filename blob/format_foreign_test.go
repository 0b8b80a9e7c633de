package blob_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
)

// TestForeignImagesThatQEMUMakesAreTaken has qemu-img make images of other hypervisors' formats, blank and with data, and
// compares the sizes that it and Inspect see.
func TestForeignImagesThatQEMUMakesAreTaken(t *testing.T) {
	t.Parallel()
	needQEMU(t)
	data := filepath.Join(t.TempDir(), "data.raw")
	if err := os.WriteFile(data, slices.Repeat([]byte("data on a disk\x00\x01"), 1<<17), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		format, options, variant string
	}{
		"VMDK":                     {"vmdk", "subformat=monolithicSparse", "monolithicSparse"},
		"VMDK of zeroed grains":    {"vmdk", "subformat=monolithicSparse,zeroed_grain=on", "monolithicSparse"},
		"VMDK of a later hardware": {"vmdk", "subformat=monolithicSparse,hwversion=10", "monolithicSparse"},
		"VMDK as a stream":         {"vmdk", "subformat=streamOptimized", "streamOptimized"},
		"VDI":                      {"vdi", "static=off", "dynamic"},
		"VDI, static":              {"vdi", "static=on", "static"},
		"VHD":                      {"vpc", "subformat=dynamic", "dynamic"},
		"VHD of the exact size":    {"vpc", "subformat=dynamic,force_size=on", "dynamic"},
		"VHD of fixed size":        {"vpc", "subformat=fixed,force_size=on", "fixed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{
				{"create", "-q", "-f", c.format, "-o", c.options, "IMAGE", "5M"},
				{"create", "-q", "-f", c.format, "-o", c.options, "IMAGE", "300M"},
				{"convert", "-f", "raw", "-O", c.format, "-o", c.options, data, "IMAGE"},
			} {
				path := filepath.Join(t.TempDir(), "image")
				args[slices.Index(args, "IMAGE")] = path
				qemuImg(t, args...)
				got, err := inspectFile(t, path)
				if err != nil {
					t.Errorf("%v: %s", args, fault.Text(err))
					continue
				}
				var info struct {
					VirtualSize int64 `json:"virtual-size"`
				}
				if err := json.Unmarshal([]byte(qemuImg(t, "info", "-f", c.format, "--output", "json", path)), &info); err != nil {
					t.Fatal(err)
				}
				if got.VirtualSize != info.VirtualSize || got.Variant != c.variant {
					t.Errorf("%v: got %+v, qemu-img sees %d bytes", args, got, info.VirtualSize)
				}
			}
		})
	}
}
