// Package libvirthv runs guests with libvirt and QEMU.
//
// Only programs built with cgo and the tag libvirt_dlopen can: in others Open says so. With that tag libvirt's library
// is looked for when the program runs, so it builds and starts where libvirt is not installed.
//
// A domain is recognised as ours by its name, sf:<uuid>, and by the cloud and node in its metadata. Nothing else is
// listed, changed or removed. Every file is attached in a format named by the caller, with its whole chain of backing
// files written out, so neither libvirt nor QEMU ever guesses one. Owners and modes of files are set by Define and not
// by libvirt: a guest's disks belong to the user that QEMU runs as, images that several guests share can only be read.
package libvirthv

import (
	"log/slog"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
)

// The accelerators.
const (
	Auto = "auto" // KVM if it boots a guest, else emulation
	KVM  = "kvm"
	QEMU = "qemu" // emulation
)

// Options say how to reach libvirt and what to make of it. Owner and Node are required.
type Options struct {
	URI         string       // "" means qemu:///system
	Owner       string       // the cloud's ID
	Node        string       // this node's name
	Accelerator string       // Auto, KVM or QEMU; "" means Auto
	StorageDir  string       // absolute; where the files of guests are; "" leaves it unchecked
	MinFree     int64        // bytes of a file system that images and copies never take; 0: none, less than 0: the smaller of 20 GiB and a tenth
	User        string       // that QEMU runs as; "" means libvirt-qemu
	Group       string       // that QEMU runs as; "" means libvirt-qemu
	CacheMode   string       // of disks, as libvirt names it; "" means none, and writeback where files cannot be opened directly
	Logger      *slog.Logger // nil discards
}

// filled returns o with its defaults. It fails with fault.Invalid.
func (o Options) filled() (Options, error) {
	const op = "libvirthv.Open"
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&o.URI, "qemu:///system")
	set(&o.Accelerator, Auto)
	set(&o.User, "libvirt-qemu")
	set(&o.Group, "libvirt-qemu")
	set(&o.CacheMode, "none")
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Owner == "" || o.Node == "":
		return o, fault.New(op, fault.Invalid, "", "Owner and Node must be set: domains are recognised by them")
	case o.Accelerator != Auto && o.Accelerator != KVM && o.Accelerator != QEMU:
		return o, fault.New(op, fault.Invalid, "", "accelerator %q, want auto, kvm or qemu", o.Accelerator)
	}
	return o, nil
}

// mock reports whether libvirt's own simulation is to be used, which has neither files nor users.
func (o Options) mock() bool { return strings.HasPrefix(o.URI, "test:") }

// system reports whether libvirt runs as root and QEMU as a user of its own.
func (o Options) system() bool {
	return strings.HasPrefix(o.URI, "qemu") && strings.Contains(o.URI, "/system")
}
