package simhv_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
)

// written returns a driver with a running guest that has a disk and a read-only one.
func written(t *testing.T, o simhv.Options, channels ...hypervisor.Channel) (*simhv.Driver, hypervisor.Domain) {
	t.Helper()
	d, dir := simhv.New(o), t.TempDir()
	disk, other := filepath.Join(dir, "vda"), filepath.Join(dir, "vdb")
	dom := hypervisor.Domain{
		ID: "a", VCPUs: 1, MemoryMiB: 64, Channels: channels,
		Disks: []hypervisor.DomainDisk{
			{Path: disk, Format: hypervisor.QCOW2, Device: "vda"},
			{Path: other, Format: hypervisor.QCOW2, Device: "vdb", ReadOnly: true},
		},
	}
	err := errors.Join(
		d.MakeDisk(t.Context(), hypervisor.Disk{Path: disk, SizeBytes: 1 << 30}),
		d.MakeDisk(t.Context(), hypervisor.Disk{Path: other, SizeBytes: 1 << 30}),
		d.Define(t.Context(), dom), d.Start(t.Context(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	return d, dom
}

func TestWhatAGuestWritesIsReadInTheCopyItBootsFrom(t *testing.T) {
	d, dom := written(t, simhv.Options{})
	if err := d.Write("a", "vda", "the change"); err != nil {
		t.Fatal(err)
	}
	_, err := d.Hold(t.Context(), "a", dom.Disks)
	copied := dom.Disks[0].Path + ".copy"
	err = errors.Join(err, d.Write("a", "vda", "later"),
		d.CopyDisk(t.Context(), hypervisor.DiskCopy{Src: dom.Disks[0].Path, Dst: copied}),
		d.Release(t.Context(), "a", dom.Disks))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := d.Read("a", "vda"); err != nil || text != "boot 1 of a\nthe change\nlater\n" {
		t.Errorf("the guest reads %q, %v", text, err)
	}
	if text, err := simhv.Written(copied); err != nil || text != "boot 1 of a\nthe change\n" {
		t.Errorf("the copy has %q, %v", text, err)
	}
	next := dom
	next.ID, next.Disks = "b", []hypervisor.DomainDisk{{
		Path: copied + ".disk", Format: hypervisor.QCOW2, Device: "vda", Backing: []string{copied + ".image"},
	}}
	err = errors.Join(
		d.Convert(t.Context(), hypervisor.Image{Path: copied, Format: hypervisor.QCOW2}, copied+".image"),
		d.MakeDisk(t.Context(), hypervisor.Disk{Path: copied + ".disk", Base: copied + ".image"}),
		d.Define(t.Context(), next), d.Start(t.Context(), "b"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := d.Read("b", "vda"); err != nil || !strings.Contains(text, "the change\nboot 1 of b\n") || strings.Contains(text, "later") {
		t.Errorf("the guest that boots from the copy reads %q, %v", text, err)
	}
}

func TestOnlyAGuestThatHasAnAgentAndItsChannelIsFrozen(t *testing.T) {
	channel := hypervisor.Channel{Name: hypervisor.GuestAgentChannel, Path: "/sc"}
	for name, c := range map[string]struct {
		options  simhv.Options
		channels []hypervisor.Channel
		want     string
	}{
		"neither":          {},
		"only the channel": {channels: []hypervisor.Channel{channel}},
		"only the agent":   {options: simhv.Options{GuestAgent: true}},
		"both":             {simhv.Options{GuestAgent: true}, []hypervisor.Channel{channel}, hypervisor.GuestAgent},
	} {
		d, dom := written(t, c.options, c.channels...)
		for range 2 { // what is held already is as it is
			if by, err := d.Hold(t.Context(), "a", dom.Disks); err != nil || by != c.want {
				t.Errorf("%s: frozen by %q, %v; want %q", name, by, err, c.want)
			}
		}
	}
}

func TestGuestsWriteOnlyToWhatTheyHave(t *testing.T) {
	d, _ := written(t, simhv.Options{})
	_, none := d.Read("b", "vda")
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"a disk that can only be read": {d.Write("a", "vdb", "x"), fault.Invalid},
		"a disk it lacks":              {d.Write("a", "vdc", "x"), fault.NotFound},
		"a guest that is not there":    {none, fault.NotFound},
	} {
		if !errors.Is(c.err, c.kind) {
			t.Errorf("%s: error is %v, want %s", name, c.err, c.kind)
		}
	}
	if err := d.Stop(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := d.Write("a", "vda", "x"); !errors.Is(err, fault.NotFound) {
		t.Errorf("a guest that is off writes: %v", err)
	}
}
