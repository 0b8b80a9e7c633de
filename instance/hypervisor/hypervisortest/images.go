package hypervisortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/hostileimage"
	"github.com/shakenfist/shakenfist/internal/qcow2"
	"github.com/shakenfist/shakenfist/internal/step"
)

// size returns the virtual size of the QCOW2 image path, and checks that it is well formed.
func size(t *testing.T, path string) int64 {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close() //nolint:errcheck // only read
	h, err := qcow2.Read(f)
	must(t, err)
	return h.Size
}

// only checks that the folder holds exactly these files.
func (b bench) only(t *testing.T, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(b.Dir)
	must(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		t.Errorf("the folder holds %v, want %v", got, names)
	}
}

func (b bench) file(t *testing.T, name string, content []byte) hypervisor.Image {
	t.Helper()
	must(t, os.WriteFile(b.path(name), content, 0o600))
	return hypervisor.Image{Path: b.path(name), Format: hypervisor.Raw}
}

func diskIsMade(t *testing.T, b bench) {
	base := b.path("base")
	must(t, b.Driver.Convert(b.ctx, b.file(t, "a.img", GuestImage()), base))
	for _, d := range []struct {
		hypervisor.Disk
		want int64
	}{
		{hypervisor.Disk{Path: b.path("blank"), SizeBytes: 3 << 30}, 3 << 30},
		{hypervisor.Disk{Path: b.path("grown"), SizeBytes: 2 << 30, Base: base}, 2 << 30},
		{hypervisor.Disk{Path: b.path("same"), Base: base}, 1 << 20},
	} {
		must(t, b.Driver.MakeDisk(b.ctx, d.Disk))
		if got := size(t, d.Path); got != d.want {
			t.Errorf("%s has %d bytes, want %d", filepath.Base(d.Path), got, d.want)
		}
		was, err := os.Stat(d.Path)
		must(t, err)
		must(t, b.Driver.MakeDisk(b.ctx, d.Disk))
		if is, err := os.Stat(d.Path); err != nil || !os.SameFile(was, is) || !is.ModTime().Equal(was.ModTime()) {
			t.Errorf("%s was made again", filepath.Base(d.Path))
		}
	}
	b.only(t, "a.img", "base", "blank", "grown", "same")
	for name, d := range map[string]hypervisor.Disk{
		"no size and no base": {Path: b.path("x")}, "half a sector": {Path: b.path("x"), SizeBytes: 1000},
		"a negative size": {Path: b.path("x"), SizeBytes: -512}, "a relative path": {Path: "x", SizeBytes: 512},
	} {
		if err := b.Driver.MakeDisk(b.ctx, d); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: error is %v, want invalid", name, err)
		}
	}
	gone := hypervisor.Disk{Path: b.path("x"), Base: b.path("gone")}
	if err := b.Driver.MakeDisk(b.ctx, gone); !errors.Is(err, fault.NotFound) {
		t.Errorf("a base that is not there: error is %v, want not found", err)
	}
}

func diskTooSmall(t *testing.T, b bench) {
	base := b.path("base")
	must(t, b.Driver.Convert(b.ctx, b.file(t, "a.img", GuestImage()), base))
	err := b.Driver.MakeDisk(b.ctx, hypervisor.Disk{Path: b.path("small"), SizeBytes: 524288, Base: base})
	text := fault.Text(err)
	if !errors.Is(err, fault.Invalid) || !strings.Contains(text, "524288") || !strings.Contains(text, "1048576") {
		t.Errorf("error is %v, want invalid with 524288 and 1048576 in it", err)
	}
	b.only(t, "a.img", "base")
}

// cutOff fails every step of making a disk and an image, before it and after its effect.
func cutOff(t *testing.T, b bench) {
	src, killed := b.file(t, "a.img", GuestImage()), errors.New("killed here")
	for name, call := range map[string]func(ctx context.Context, path string) error{
		"disk": func(ctx context.Context, path string) error {
			return b.Driver.MakeDisk(ctx, hypervisor.Disk{Path: path, SizeBytes: 1 << 30})
		},
		"image": func(ctx context.Context, path string) error { return b.Driver.Convert(ctx, src, path) },
	} {
		total := 0
		for at := 0; at <= total; at++ {
			n, path := 0, b.path(fmt.Sprintf("%s%d", name, at))
			err := call(step.WithHook(b.ctx, func(context.Context, step.Step) error {
				if n++; n == at {
					return killed
				}
				return nil
			}), path)
			if at == 0 {
				total = n
				must(t, err)
			} else if !errors.Is(err, killed) {
				t.Errorf("%s, step %d of %d: error is %v, want that of the step", name, at, total, err)
			}
			must(t, call(b.ctx, path))
			size(t, path)
		}
		if total < 2 {
			t.Errorf("making a %s announced %d steps, want at least its rename", name, total)
		}
		t.Logf("%s: %d moments cut off", name, total)
	}
	if left, err := filepath.Glob(b.path("*.partial")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func imageIsConverted(t *testing.T, b bench) {
	raw := b.file(t, "a.img", GuestImage())
	q := hypervisor.Image{Path: b.path("a.qcow2"), Format: hypervisor.QCOW2}
	must(t, b.Driver.Convert(b.ctx, raw, q.Path))
	must(t, b.Driver.Convert(b.ctx, q, b.path("b.qcow2")))
	iso := make([]byte, 64<<10)
	copy(iso[16*2048:], "\x01CD001\x01")
	disc := b.file(t, "c.iso", iso)
	disc.Format = hypervisor.ISO
	must(t, b.Driver.Convert(b.ctx, disc, b.path("d.iso")))
	must(t, b.Driver.Convert(b.ctx, hypervisor.Image{Path: raw.Path, Format: hypervisor.ISO}, b.path("d.iso")), "of a file that is there")
	for _, name := range []string{"a.qcow2", "b.qcow2"} {
		if got := size(t, b.path(name)); got != 1<<20 {
			t.Errorf("%s has %d bytes, want 1 MiB", name, got)
		}
	}
	if got, err := os.ReadFile(b.path("d.iso")); err != nil || !bytes.Equal(got, iso) {
		t.Errorf("the ISO image was changed, or not kept: %v", err)
	}
	b.only(t, "a.img", "a.qcow2", "b.qcow2", "c.iso", "d.iso")
}

// foreignImages converts images of other hypervisors' formats, each by its own name, and asks for them by another.
func foreignImages(t *testing.T, b bench) {
	// An extent's name is only a word: the file of that name has nothing to do with the image.
	files, bystander := []string{"bystander"}, b.file(t, "bystander", bytes.Repeat([]byte("SECRET! "), 8192)).Path
	opened := watchOpens(t, bystander)
	named := hostileimage.Descriptor("monolithicSparse", "RW 4096 SPARSE \"bystander\"\n")
	for _, i := range []struct {
		name   string
		format hypervisor.Format
		bytes  []byte
		size   int64
	}{
		{"a.vmdk", hypervisor.VMDK, hostileimage.VMDK(), 2 << 20},
		{"a.vmdk2", hypervisor.VMDK, hostileimage.VMDK(hostileimage.Text(512, named)), 2 << 20},
		{"a.vmdk3", hypervisor.VMDK, hostileimage.Stream(), 2 << 20},
		{"b.vdi", hypervisor.VDI, hostileimage.VDI(), 2 << 20},
		{"c.vhd", hypervisor.VHD, hostileimage.DynamicVHD(), 4 << 20},
		{"d.vhd", hypervisor.VHD, hostileimage.FixedVHD(), 64 << 10},
		{"e.qcow2", hypervisor.QCOW2, hostileimage.QCOW2(), 1 << 30},
	} {
		src := b.file(t, i.name, i.bytes)
		for _, other := range []hypervisor.Format{hypervisor.QCOW2, hypervisor.VMDK, hypervisor.VDI, hypervisor.VHD, hypervisor.ISO} {
			if src.Format = other; other == i.format {
				continue
			}
			if err := b.Driver.Convert(b.ctx, src, b.path("out")); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s as %s: error is %v, want invalid", i.name, other, err)
			}
		}
		src.Format = i.format
		must(t, b.Driver.Convert(b.ctx, src, b.path(i.name+".made")), i.name)
		if got := size(t, b.path(i.name+".made")); got != i.size {
			t.Errorf("%s became a disk of %d bytes, want %d", i.name, got, i.size)
		}
		must(t, b.Driver.MakeDisk(b.ctx, hypervisor.Disk{Path: b.path(i.name + ".over"), Base: b.path(i.name + ".made")}))
		files = append(files, i.name, i.name+".made", i.name+".over")
	}
	slices.Sort(files)
	b.only(t, files...)
	if opened() {
		t.Error("a file that has the name of an extent was opened")
	}
}

func hostileImages(t *testing.T, b bench) {
	secret := b.file(t, "secret", bytes.Repeat([]byte("SECRET! "), 8192)).Path
	opened := watchOpens(t, secret)
	for _, i := range hostileimage.All(secret) {
		formats := []hypervisor.Format{i.Format}
		if i.Format == "" { // no image, whatever it is said to be
			formats = []hypervisor.Format{hypervisor.QCOW2, hypervisor.VMDK, hypervisor.VDI, hypervisor.VHD, "qed"}
		}
		src := b.file(t, "hostile", i.Bytes)
		for _, src.Format = range formats {
			if err := b.Driver.Convert(b.ctx, src, b.path("out")); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s, as %s: error is %v, want invalid", i.Name, src.Format, err)
			}
		}
		must(t, os.Remove(src.Path))
	}
	b.only(t, "secret")
	for _, format := range []hypervisor.Format{hypervisor.Raw, hypervisor.QCOW2, hypervisor.VMDK, hypervisor.VDI, hypervisor.VHD, hypervisor.ISO} {
		src := b.file(t, "hostile", nil)
		src.Format = format
		if err := b.Driver.Convert(b.ctx, src, b.path("out")); !errors.Is(err, fault.Invalid) {
			t.Errorf("an empty file as %s: error is %v, want invalid", format, err)
		}
	}
	vmdk := []byte("# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 128 FLAT \"" + secret + "\" 0\n")
	must(t, b.Driver.Convert(b.ctx, b.file(t, "hostile", vmdk), b.path("out")), "of a VMDK said to be raw")
	if got := size(t, b.path("out")); got > 4096 {
		t.Errorf("a text file taken as raw became a disk of %d bytes: it was probed", got)
	}
	must(t, b.Driver.MakeDisk(b.ctx, hypervisor.Disk{Path: b.path("over"), Base: b.path("out")}))
	if opened() {
		t.Error("the file that hostile images name was opened")
	}
}
