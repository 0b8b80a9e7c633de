// Package machine reads how busy this machine is, from the files that its kernel shows below /proc and /sys.
package machine

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/blockdevice"

	"github.com/shakenfist/shakenfist/fault"
)

// Figures are what a machine has and uses at one moment. Counters begin when the machine does.
type Figures struct {
	Load1, Load5, Load15 float64 // processes that run or want to, over the last 1, 5 and 15 minutes
	MemoryAvailable      int     // MiB that programs could still get
	DiskRead             uint64  // bytes read from all disks
	DiskWritten          uint64  // bytes written to all disks
	NetworkRead          uint64  // bytes received by all network cards
	NetworkWritten       uint64  // bytes sent by all network cards
}

// Reader reads the figures of one machine.
type Reader struct {
	root string // holds proc and sys
	proc procfs.FS
}

// Open returns a reader of the machine whose root folder this is: "/", or where it is mounted. It fails with fault.Invalid
// if no process file system is there.
func Open(root string) (*Reader, error) {
	proc, err := procfs.NewFS(filepath.Join(root, "proc"))
	if err != nil {
		return nil, fault.Because("machine.Open", fault.Invalid, root, err, "%s does not tell how busy this machine is", filepath.Join(root, "proc"))
	}
	return &Reader{root: root, proc: proc}, nil
}

// Figures reads the machine's figures. What can't be read is 0, and the error, of kind fault.Unavailable, says what it was.
func (r *Reader) Figures() (Figures, error) {
	var f Figures
	failed := errors.Join(r.load(&f), r.memory(&f), r.disks(&f), r.cards(&f))
	if failed != nil {
		failed = fault.Because("machine.Figures", fault.Unavailable, "", failed, "some figures of this machine cannot be read")
	}
	return f, failed
}

func (r *Reader) load(f *Figures) error {
	load, err := r.proc.LoadAvg()
	if err != nil {
		return err
	}
	f.Load1, f.Load5, f.Load15 = load.Load1, load.Load5, load.Load15
	return nil
}

func (r *Reader) memory(f *Figures) error {
	memory, err := r.proc.Meminfo()
	if err == nil && memory.MemAvailableBytes != nil {
		f.MemoryAvailable = int(*memory.MemAvailableBytes >> 20)
	}
	return err
}

// sector is the unit of the kernel's disk counters, whatever a disk's own sectors are.
const sector = 512

// disks adds up whole disks: their partitions, and what is stacked on them, would count everything twice.
func (r *Reader) disks(f *Figures) error {
	fs, err := blockdevice.NewFS(filepath.Join(r.root, "proc"), filepath.Join(r.root, "sys"))
	if err != nil {
		return err
	}
	all, err := fs.ProcDiskstats()
	if err != nil {
		return err
	}
	for _, d := range all {
		if r.isHardware("sys/block", d.DeviceName) {
			f.DiskRead += d.ReadSectors * sector
			f.DiskWritten += d.WriteSectors * sector
		}
	}
	return nil
}

// cards adds up network cards: bridges and tunnels would count everything twice. A machine without any, such as a
// container, has all it has but for loopback counted.
func (r *Reader) cards(f *Figures) error {
	all, err := r.proc.NetDev()
	if err != nil {
		return err
	}
	hardware := false
	for name := range all {
		hardware = hardware || r.isHardware("sys/class/net", name)
	}
	for name, line := range all {
		if name == "lo" || hardware && !r.isHardware("sys/class/net", name) {
			continue
		}
		f.NetworkRead += line.RxBytes
		f.NetworkWritten += line.TxBytes
	}
	return nil
}

// isHardware reports whether a device of that class belongs to a piece of hardware, real or emulated.
func (r *Reader) isHardware(class, name string) bool {
	_, err := os.Stat(filepath.Join(r.root, class, name, "device"))
	return err == nil
}
