package blob_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
)

func qemuImg(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "qemu-img", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func needQEMU(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("SF_REQUIRE"), ","), "libvirt") {
		t.Fatal("qemu-img is missing and SF_REQUIRE asks for it: apt-get install qemu-utils")
	}
	t.Skip("qemu-img is missing; to run this test: apt-get install qemu-utils")
}

func inspectFile(t *testing.T, path string) (blob.Facts, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	s, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return blob.Inspect(f, s.Size(), blob.Limits{})
}

// TestWhatQEMUMakesIsTaken has qemu-img make images of many kinds, blank and with data, and compares what it says of
// them with what Inspect says.
func TestWhatQEMUMakesIsTaken(t *testing.T) {
	t.Parallel()
	needQEMU(t)
	data := filepath.Join(t.TempDir(), "data.raw")
	if err := os.WriteFile(data, slices.Repeat([]byte("data on a disk\x00\x01"), 1<<17), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		make []string // arguments of qemu-img before and after the image's path
		size string
	}{
		{"the defaults", nil, "1G"},
		{"a tiny disk", nil, "512"},
		{"a huge disk", nil, "16T"},
		{"version 2", []string{"-o", "compat=0.10"}, "3G"},
		{"large clusters", []string{"-o", "cluster_size=2M"}, "100G"},
		{"small clusters", []string{"-o", "cluster_size=512"}, "20M"},
		{"lazy reference counts", []string{"-o", "lazy_refcounts=on"}, "1G"},
		{"narrow reference counts", []string{"-o", "refcount_bits=1"}, "1G"},
		{"wide reference counts", []string{"-o", "refcount_bits=64"}, "1G"},
		{"zstd", []string{"-o", "compression_type=zstd"}, "1G"},
		{"extended L2 entries", []string{"-o", "extended_l2=on,cluster_size=128k"}, "100G"},
		{"metadata laid out beforehand", []string{"-o", "preallocation=metadata"}, "64M"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "blank.qcow2")
			qemuImg(t, slices.Concat([]string{"create", "-q", "-f", "qcow2"}, tt.make, []string{path, tt.size})...)
			compare(t, path)

			full := filepath.Join(t.TempDir(), "full.qcow2")
			ways := [][]string{nil, {"-c"}}
			if slices.Contains(tt.make, "preallocation=metadata") {
				ways = ways[:1] // qemu-img has no room laid out beforehand for what is compressed
			}
			for _, compress := range ways {
				args := slices.Concat([]string{"convert"}, compress, []string{"-f", "raw", "-O", "qcow2"}, tt.make, []string{data, full})
				qemuImg(t, args...)
				compare(t, full)
			}
			if !slices.Contains(tt.make, "refcount_bits=1") { // one bit cannot count two users
				qemuImg(t, "snapshot", "-c", "one", full)
				compare(t, full)
			}
			qemuImg(t, "bench", "-q", "-f", "qcow2", "-w", "-c", "100", full)
			compare(t, full)
		})
	}
}

// compare checks that Inspect takes an image and says of it what qemu-img says.
func compare(t *testing.T, path string) {
	t.Helper()
	got, err := inspectFile(t, path)
	if err != nil {
		t.Errorf("%s: %s", path, fault.Text(err))
		return
	}
	var info struct {
		VirtualSize int64 `json:"virtual-size"`
		ClusterSize int64 `json:"cluster-size"`
		Format      string
		Specific    struct {
			Data struct {
				Compat      string
				Compression string `json:"compression-type"`
				ExtendedL2  bool   `json:"extended-l2"`
			}
		} `json:"format-specific"`
	}
	if err := json.Unmarshal([]byte(qemuImg(t, "info", "-f", "qcow2", "--output", "json", path)), &info); err != nil {
		t.Fatal(err)
	}
	d := info.Specific.Data
	if string(got.Format) != info.Format || got.VirtualSize != info.VirtualSize || got.ClusterSize != info.ClusterSize ||
		got.Compat != d.Compat || got.Compression != d.Compression || got.ExtendedL2 != d.ExtendedL2 {
		t.Errorf("got %+v, qemu-img says %+v", got, info)
	}
}

// TestWhatQEMUMakesThatNeedsMoreIsRefused has qemu-img make images that are not complete by themselves, or of other
// formats.
func TestWhatQEMUMakesThatNeedsMoreIsRefused(t *testing.T) {
	t.Parallel()
	needQEMU(t)
	dir := t.TempDir()
	base := filepath.Join(dir, "base.raw")
	if err := os.WriteFile(base, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	parent := filepath.Join(dir, "parent.vmdk")
	qemuImg(t, "create", "-q", "-f", "vmdk", parent, "4M")
	tests := []struct {
		name string
		args []string // of qemu-img create, before the image's path
		text string
	}{
		{"a backing file", []string{"-f", "qcow2", "-b", base, "-F", "raw"}, "this QCOW2 image needs a backing file"},
		{"a backing file in JSON", []string{"-f", "qcow2", "-u", "-b", `json:{"driver":"file","filename":"/etc/shadow"}`, "-F", "raw"}, "this QCOW2 image needs a backing file"},
		{"an external data file", []string{"-f", "qcow2", "-o", "data_file=" + filepath.Join(dir, "data"), "-o", "data_file_raw=on"}, "this QCOW2 image keeps its data in an external file"},
		{"a VMDK over another", []string{"-f", "vmdk", "-b", parent, "-F", "vmdk"}, "this VMDK image names a parent in its descriptor"},
		// AES, since making a LUKS header takes qemu-img many seconds.
		{"encryption", []string{"--object", "secret,id=s,data=secret", "-f", "qcow2", "-o", "encrypt.format=aes,encrypt.key-secret=s"}, "this QCOW2 image is encrypted (method 1)"},
		{"VMDK in two files", []string{"-f", "vmdk", "-o", "subformat=monolithicFlat"}, "this is a VMDK descriptor"},
		{"VHDX", []string{"-f", "vhdx"}, "this is a VHDX image"},
		{"QED", []string{"-f", "qed"}, "this is a QED image"},
		{"Parallels", []string{"-f", "parallels"}, "this is a Parallels image"},
		{"QCOW 1", []string{"-f", "qcow"}, "this is a QCOW image of version 1"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, "image"+strconv.Itoa(i))
			qemuImg(t, slices.Concat([]string{"create", "-q"}, tt.args, []string{path, "4M"})...)
			got, err := inspectFile(t, path)
			checkRefused(t, got, err, tt.text)
		})
	}
}
