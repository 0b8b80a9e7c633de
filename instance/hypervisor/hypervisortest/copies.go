package hypervisortest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/qcow2"
	"github.com/shakenfist/shakenfist/internal/step"
)

// backing returns the name of the image beneath path as its header has it, and checks that there is none where want is "".
func backing(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close() //nolint:errcheck // only read
	h, err := qcow2.Read(f)
	must(t, err)
	name := make([]byte, h.BackingBytes)
	if h.BackingOffset != 0 {
		_, err = f.ReadAt(name, int64(h.BackingOffset)) //nolint:gosec // of our own making
		must(t, err)
	}
	return string(name)
}

func diskIsCopied(t *testing.T, b bench) {
	d := b.guest(t, idA)
	for _, c := range []hypervisor.DiskCopy{
		{Dst: b.path("flat")},
		{Dst: b.path("packed"), Compress: true},
		{Dst: b.path("thin"), Base: "base.qcow2"},
		{Dst: b.path("thinpacked"), Base: "base.qcow2", Compress: true},
	} {
		c.Src, c.Backing = d.Disks[0].Path, d.Disks[0].Backing
		must(t, b.Driver.CopyDisk(b.ctx, c))
		if got := size(t, c.Dst); got != 1<<20 {
			t.Errorf("%s has %d bytes, want 1 MiB", filepath.Base(c.Dst), got)
		}
		if got := backing(t, c.Dst); got != c.Base {
			t.Errorf("%s lies over %q, want %q", filepath.Base(c.Dst), got, c.Base)
		}
		was, err := os.Stat(c.Dst)
		must(t, err)
		must(t, b.Driver.CopyDisk(b.ctx, c))
		if is, err := os.Stat(c.Dst); err != nil || !os.SameFile(was, is) {
			t.Errorf("%s was made again: %v", filepath.Base(c.Dst), err)
		}
		f, err := os.Open(c.Dst)
		must(t, err)
		_, err = qcow2.Whole(f, was.Size(), qcow2.MaxSize)
		must(t, f.Close())
		if c.Base == "" {
			must(t, err, "the header guard refuses a copy")
		}
	}
	with := func(change func(*hypervisor.DiskCopy)) hypervisor.DiskCopy {
		c := hypervisor.DiskCopy{Src: d.Disks[0].Path, Backing: d.Disks[0].Backing, Dst: b.path("x")}
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		copy hypervisor.DiskCopy
		kind fault.Kind
	}{
		"a disk that is not there":    {with(func(c *hypervisor.DiskCopy) { c.Src = b.path("gone") }), fault.NotFound},
		"a base that is a path":       {with(func(c *hypervisor.DiskCopy) { c.Base = "/etc/base.qcow2" }), fault.Invalid},
		"a base in another folder":    {with(func(c *hypervisor.DiskCopy) { c.Base = ".." }), fault.Invalid},
		"a thin copy of a whole disk": {with(func(c *hypervisor.DiskCopy) { c.Base, c.Backing = "base.qcow2", nil }), fault.Invalid},
		"a disk for which is no room": {with(func(c *hypervisor.DiskCopy) { c.Room = noRoom }), fault.Exhausted},
	} {
		if err := b.Driver.CopyDisk(b.ctx, c.copy); !errors.Is(err, c.kind) {
			t.Errorf("%s: error is %v, want %s", name, err, c.kind)
		}
	}
	b.only(t, idA, "flat", "packed", "thin", "thinpacked")
}

func noRoom() error { return errors.New("the floor is reached") }

// copyCutOff fails every step of a copy, before it and after its effect.
func copyCutOff(t *testing.T, b bench) {
	d, killed, total := b.guest(t, idA), errors.New("killed here"), 0
	for _, base := range []string{"", "base.qcow2"} {
		for at := 0; at <= total; at++ {
			n, c := 0, hypervisor.DiskCopy{Src: d.Disks[0].Path, Backing: d.Disks[0].Backing, Base: base}
			c.Dst = b.path(fmt.Sprintf("copy%d%s", at, base))
			err := b.Driver.CopyDisk(step.WithHook(b.ctx, func(context.Context, step.Step) error {
				if n++; n == at {
					return killed
				}
				return nil
			}), c)
			if at == 0 {
				total = n
				must(t, err)
			} else if !errors.Is(err, killed) {
				t.Errorf("step %d of %d: error is %v, want that of the step", at, total, err)
			}
			must(t, b.Driver.CopyDisk(b.ctx, c))
			size(t, c.Dst)
		}
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	c := hypervisor.DiskCopy{Src: d.Disks[0].Path, Backing: d.Disks[0].Backing, Dst: b.path("late")}
	if err := b.Driver.CopyDisk(ctx, c); !errors.Is(err, fault.Unavailable) {
		t.Errorf("error is %v, want unavailable because of the cancelled context", err)
	}
	if left, err := filepath.Glob(b.path("*.partial")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func copyInUse(t *testing.T, b bench) {
	d := b.writer(t)
	c := hypervisor.DiskCopy{Src: d.Disks[0].Path, Backing: d.Disks[0].Backing, Dst: b.path("copy")}
	if err := b.Driver.CopyDisk(b.ctx, c); !errors.Is(err, fault.Unavailable) {
		t.Errorf("error is %v, want unavailable", err)
	}
	if _, err := os.Stat(c.Dst); err == nil {
		t.Error("a copy was made of a disk that a guest writes to")
	}
}

// bootsFromCopy has other guests boot from copies of a running one's disk.
func bootsFromCopy(t *testing.T, b bench) {
	d := b.writer(t)
	before, base := b.count(t, d), d.Disks[0].Backing[0]
	b.writes(t, d, 2)
	b.hold(t, d)
	b.writes(t, d, 1)
	copies := []hypervisor.DiskCopy{
		{Src: d.Disks[0].Path, Backing: d.Disks[0].Backing, Dst: b.path("flat"), Compress: true},
		{Src: d.Disks[0].Path, Backing: d.Disks[0].Backing, Dst: b.path("thin"), Base: filepath.Base(base)},
	}
	for _, c := range copies {
		must(t, b.Driver.CopyDisk(b.ctx, c))
	}
	must(t, b.Driver.Release(b.ctx, d.ID, d.Disks))
	for i, c := range copies {
		image := hypervisor.Image{Path: c.Dst, Format: hypervisor.QCOW2}
		x, id := d, []string{idB, idC}[i]
		x.ID, x.ConsoleLog, x.Disks = id, b.path(id+".log"), slices.Clone(d.Disks)
		x.Disks[0].Path, x.Disks[0].Backing = b.path(id+".disk"), []string{c.Dst + ".image"}
		if c.Base != "" {
			image.Base, x.Disks[0].Backing = base, []string{c.Dst + ".image", base}
		}
		must(t, b.Driver.Convert(b.ctx, image, c.Dst+".image"))
		must(t, b.Driver.MakeDisk(b.ctx, hypervisor.Disk{Path: x.Disks[0].Path, Base: c.Dst + ".image"}))
		b.wrote(t, before+2, c.Dst, x.Disks[0].Path, x.Disks[0].Backing...)
		must(t, b.Driver.Define(b.ctx, x))
		must(t, b.Driver.Start(b.ctx, id))
		b.spoke(t, x, len(GuestReady))
		b.writes(t, x, 1)
		must(t, b.Driver.Remove(b.ctx, id))
		if got, err := b.Writes(b.ctx, x.Disks[0].Path, x.Disks[0].Backing); err != nil || got <= before+2 {
			t.Errorf("a guest over %s wrote nothing: %d, %v", c.Dst, got, err)
		}
	}
}
