package hypervisor

import "context"

// A Snapshotter is the part of a Driver that copies disks, also those of running guests:
//
//	Release, in case somebody died; Hold; CopyDisk of each disk; Release
//
// What a guest wrote is at any moment in its disk and, newer, in the held file over it, whatever dies when. So nothing is
// ever lost, and Release is all that has to be called after a death, of the daemon, the guest or the machine.
type Snapshotter interface {
	// Hold has these disks of the running domain id stand still, all from the same moment on, so that CopyDisk can read
	// them. What the guest writes from then on goes to the disk's path with HeldSuffix. If an agent in the guest can, its
	// file systems are frozen for that moment; frozenBy names the agent (GuestAgent), and is "" if nobody did it, so that
	// the disks are as after a power cut. Disks that can only be read, and those of a domain that is off or not defined,
	// stand still as they are. Disks that are held already stay as they are, which is success if all are. It fails with
	// fault.Conflict if only some are held, with fault.NotFound if the running domain lacks one of the disks, and with
	// fault.Invalid for a disk that is no QCOW2.
	Hold(ctx context.Context, id string, disks []DomainDisk) (frozenBy string, err error)

	// Release ends Hold: what was written meanwhile is merged back into the disks, and the held files are removed. It takes
	// as long as there is much to merge. The guest, if it runs, goes on running; if a Hold or Release that was cut off has
	// left it frozen or paused, that ends too. Nothing held is success, and so is a domain that is not defined. It fails
	// with fault.Exhausted if there is no room to merge, and can be called again whenever it failed.
	Release(ctx context.Context, id string, disks []DomainDisk) error

	// CopyDisk makes c.Dst, a QCOW2, in one step or not at all. A Dst that is there already is left as it is. It fails with
	// fault.Unavailable if c.Src is being written to: its domain must be off, or hold it.
	CopyDisk(ctx context.Context, c DiskCopy) error
}

// HeldSuffix is what the path of a held disk has added in the file that gets what its guest writes meanwhile.
const HeldSuffix = ".held"

// GuestAgent is the agent that freezes a guest's file systems for Hold, and GuestAgentChannel the channel where it listens.
const (
	GuestAgent        = "qemu-guest-agent"
	GuestAgentChannel = "org.qemu.guest_agent.0"
)

// DiskCopy says what CopyDisk makes of a disk. A copy with a Base has only what the guest itself wrote.
type DiskCopy struct {
	Src      string   // absolute path of a disk that MakeDisk made
	Backing  []string // absolute paths of its bases, nearest first; nil if it has none
	Dst      string   // absolute; its folder exists
	Base     string   // "" for a copy that is whole by itself; else the file name by which the header names what is beneath
	Compress bool     // with zstd where qemu-img can, else with zlib

	Room func() error // asked before, and each second while it is written: its error ends the copy; nil if it may fill the disk
}
