// Package hypervisor is the contract of a hypervisor driver, the second of the three seams: what runs guests on one
// node.
//
// A driver must pass hypervisortest.TestDriver. Its methods are idempotent: reaching a state that holds already is
// success, and a call that was cut off half-way can be made again. Drivers touch only domains and files that they were
// told of; List returns no domain of anybody else. Every method is safe for concurrent use, and returns soon after its
// context ends.
//
// Errors are of these kinds: fault.Unavailable when the hypervisor does not answer (it may later), fault.Invalid when it
// refuses what it was given, fault.Exhausted when the host has no room (disk full, no memory), fault.NotFound for a
// domain or file that is not there, fault.Internal for anything else.
package hypervisor

import (
	"context"
	"iter"
)

// Driver runs domains on one node.
type Driver interface {
	// Host reports what this node offers. It fails with fault.Unavailable while the hypervisor does not answer, and
	// with fault.Invalid, naming the cure, when the host is set up in a way in which no guest would start.
	Host(ctx context.Context) (Host, error)

	// MakeDisk makes the file d.Path complete in one step, or not at all. A file that is there already is left as it is.
	// It fails with fault.Invalid if d.SizeBytes is smaller than the base image, naming both sizes.
	MakeDisk(ctx context.Context, d Disk) error

	// Convert makes dst, an image in the format this driver boots from, out of src, in one step or not at all. A dst that is
	// there already is left as it is. src is hostile: only its named format is ever assumed.
	Convert(ctx context.Context, src Image, dst string) error

	// Define makes d known, powered off. If a domain of that ID is known already, it gets this definition, which a
	// running guest sees at its next start. The files of its disks should be there: Define also lets the hypervisor
	// open them (owner and mode), so one that is replaced later is followed by another Define.
	Define(ctx context.Context, d Domain) error

	// Start powers a defined domain on. It fails with fault.NotFound if it is not defined, and with fault.Conflict while
	// one of its disks is held: what the guest wrote last is in a held file then, and Release has to merge it first.
	Start(ctx context.Context, id string) error

	// Stop powers a domain off at once, as if the plug were pulled. It fails with fault.NotFound if it is not defined.
	Stop(ctx context.Context, id string) error

	// Remove stops a domain and forgets it. Removing one that is not there is success. The files of its disks stay.
	Remove(ctx context.Context, id string) error

	Snapshotter

	// List returns every domain of ours, running or not, with its real power state, ascending by ID.
	List(ctx context.Context) ([]Status, error)

	// Watch yields what happens to our domains from its call on until ctx ends, and then just ends. Delivery is best
	// effort: after a gap (the connection was lost and made again, or the watcher was slow) an Event with an empty ID says
	// that everything should be looked at afresh. An error, if any, is yielded last. The sequence is for one use.
	Watch(ctx context.Context) iter.Seq2[Event, error]
}

// Power is a domain's power state.
type Power string

// The power states, as the API shows them.
const (
	PowerOff     Power = "off"
	PowerOn      Power = "on"
	PowerPaused  Power = "paused"
	PowerCrashed Power = "crashed"
)

// Status is a domain as it is.
type Status struct {
	ID    string // UUID, lower case
	Power Power
}

// Event says that a domain's power state changed, or, with an empty ID, that events may have been missed.
type Event struct {
	ID    string
	Power Power // "" when the domain is gone or the ID is empty
}

// Host is what a node's hypervisor offers.
type Host struct {
	Version     string // of the hypervisor, such as "libvirt 9.0.0, qemu 7.2.22"
	Accelerator string // "kvm", "qemu" (emulation) or "simulated"
	Reason      string // why that accelerator; a sentence for operators
	CPUs        int    // threads of the host
	MemoryMiB   int    // memory of the host
	MaxVCPUs    int    // most vCPUs of one guest
	DiskBytes   int64  // room for disks, all of it free; 0 means that of the file system where they lie
}

// Format is an image format. A format is decided once, from the header, and named ever after.
type Format string

// The formats the cloud knows.
const (
	Raw   Format = "raw"
	QCOW2 Format = "qcow2"
	ISO   Format = "iso" // ISO 9660; attached raw and read-only

	// What other hypervisors use: Convert reads them, nothing boots from them.
	VMDK Format = "vmdk"
	VDI  Format = "vdi"
	VHD  Format = "vhd" // QEMU calls it vpc
)

// Image is an image file of a known format.
type Image struct {
	Path   string // absolute
	Format Format
	// Base is the absolute path of the image, made by Convert, that lies beneath a QCOW2 which is not whole by itself, such
	// as a thin snapshot; "" if it is whole. The header names it by its file name alone; nothing else is accepted.
	Base string
}

// Disk describes a disk file to be made: always a QCOW2, either blank or an overlay.
type Disk struct {
	Path      string // absolute; its folder exists
	SizeBytes int64  // virtual size, a multiple of 512; 0 means that of Base
	Base      string // absolute path of an image that Convert made; "" for a blank disk
}

// Domain is the definition of a virtual machine.
type Domain struct {
	ID         string // UUID, lower case
	Name       string // what the tenant calls it; a DNS label
	VCPUs      int    // at least 1
	MemoryMiB  int    // at least 1
	Machine    string // "pc" or "q35"
	UEFI       bool
	SecureBoot bool   // needs UEFI and "q35"
	NVRAM      string // absolute path of the UEFI variables, made from the firmware's template at the first start; "" without UEFI
	Disks      []DomainDisk
	NICs       []NIC
	ConsoleLog string // absolute path; what the guest writes to its first serial port is appended there
	Video      string // "cirrus", "vga", "qxl" or "virtio"
	VideoKiB   int    // video memory
	Channels   []Channel
}

// DomainDisk is a disk or CD-ROM of a domain, in the order the guest sees them.
type DomainDisk struct {
	Path     string // absolute
	Format   Format
	Device   string   // the name on its bus: "vda", "sdb", "hdc", "nvme0"
	Bus      string   // "virtio", "sata", "scsi", "usb", "ide" or "nvme"
	CDROM    bool     // read-only by nature
	Backing  []string // absolute paths of the overlay's bases, nearest first; nil if it has none
	ReadOnly bool
}

// NIC is a network interface of a domain.
type NIC struct {
	MAC    string // lower case, colons
	Bridge string // the host bridge it joins, from netdriver.Network.Bridge
	Model  string // "virtio", "e1000", "rtl8139", …
	MTU    int    // bytes
}

// Channel is a virtio-serial port of a domain, a socket on the host.
type Channel struct {
	Name string // the port's name in the guest
	Path string // absolute path of the unix socket on the host
}
