package scheduler

import (
	"math"
	"math/bits"

	"github.com/shakenfist/shakenfist/fault"
)

const (
	mib = int64(1) << 20
	gib = int64(1) << 30

	maxRatio = 1e6
	// ratioUnits is the resolution of an overcommit ratio. Decimal units, because operators write 2.3 and expect 23
	// vCPUs on ten CPUs, which binary fractions rounded down would not give.
	ratioUnits = 1000
)

// Limits say how far a node may be filled. Start from DefaultLimits; the zero value is refused.
type Limits struct {
	CPURatio         float64 // vCPUs per host thread; three decimals count
	MemoryRatio      float64 // guest memory per host memory left after the reserve; three decimals count
	MemoryReserveMiB int64   // kept for the host itself
	DiskRatio        float64 // virtual disk per disk; three decimals count

	// MinimumFreeDiskBytes of each node's disk are never given out. Negative means the smaller of 20 GiB and a tenth of
	// the disk.
	MinimumFreeDiskBytes int64
}

// DefaultLimits returns the limits of a cloud whose operator set none.
func DefaultLimits() Limits {
	return Limits{CPURatio: 16, MemoryRatio: 3, MemoryReserveMiB: 2048, DiskRatio: 10, MinimumFreeDiskBytes: -1}
}

func (l Limits) check() error {
	ratios := []struct {
		name  string
		value float64
	}{
		{"CPU_OVERCOMMIT_RATIO", l.CPURatio},
		{"RAM_OVERCOMMIT_RATIO", l.MemoryRatio},
		{"DISK_OVERCOMMIT_RATIO", l.DiskRatio},
	}
	for _, r := range ratios {
		// Written so that NaN fails too.
		if !(r.value >= 1.0/ratioUnits && r.value <= maxRatio) {
			return fault.New(opPick, fault.Invalid, "", "%s is %g and must be between %g and %g",
				r.name, r.value, 1.0/ratioUnits, maxRatio)
		}
	}
	if l.MemoryReserveMiB < 0 {
		return fault.New(opPick, fault.Invalid, "", "RAM_SYSTEM_RESERVATION is %d MiB and must not be negative",
			l.MemoryReserveMiB)
	}
	return nil
}

// floorBytes is the part of a disk that is never given out.
func (l Limits) floorBytes(total int64) int64 {
	if l.MinimumFreeDiskBytes >= 0 {
		return l.MinimumFreeDiskBytes
	}
	return min(20*gib, max(total, 0)/10)
}

// Room is what one node can still take. No field is negative.
type Room struct {
	VCPUs       int64 // of VCPULimit
	VCPULimit   int64 // threads times the CPU ratio
	MemoryMiB   int64 // of MemoryLimit
	MemoryLimit int64 // MiB: memory less the reserve, times the memory ratio
	MemoryMax   int64 // MiB: most for one instance; a guest larger than the host's own memory could only swap
	DiskGiB     int64 // of DiskLimit
	DiskLimit   int64 // GiB of virtual disk: size of the disk times the disk ratio
	GrowthBytes int64 // free disk less the floor and the growth promised to instances being built
}

// RoomOn returns what n can still take under limits l, whatever its state.
func RoomOn(n Node, l Limits) Room { return roomOn(&n, l) }

func roomOn(n *Node, l Limits) Room {
	usable := less(n.MemoryMiB, l.MemoryReserveMiB)
	r := Room{
		VCPULimit:   scale(n.CPUs, l.CPURatio),
		MemoryLimit: scale(usable, l.MemoryRatio),
		MemoryMax:   usable,
		DiskLimit:   scale(n.DiskTotalBytes, l.DiskRatio) / gib,
		GrowthBytes: less(less(n.DiskFreeBytes, l.floorBytes(n.DiskTotalBytes)), n.GrowthBytes),
	}
	r.VCPUs = less(r.VCPULimit, n.Committed.VCPUs)
	r.MemoryMiB = less(r.MemoryLimit, n.Committed.MemoryMiB)
	r.DiskGiB = less(r.DiskLimit, n.Committed.DiskGiB)
	return r
}

// less returns a - b, taking negative operands for zero and stopping at zero.
func less(a, b int64) int64 { return max(max(a, 0)-max(b, 0), 0) }

// scale returns n times ratio, rounded down and capped at what an int64 holds.
func scale(n int64, ratio float64) int64 {
	if n <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(n), uint64(math.Round(ratio*ratioUnits)))
	if hi >= ratioUnits {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, ratioUnits)
	return int64(min(q, math.MaxInt64))
}
