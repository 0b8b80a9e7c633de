package scheduler

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Check names what a node was refused for. The checks are made in this order; the first that fails decides.
type Check string

// The checks.
const (
	Placement   Check = "placement"   // the request names another node
	State       Check = "state"       // the node is not healthy
	Role        Check = "role"        // the node is no hypervisor
	Cordon      Check = "cordon"      // an operator keeps new instances away
	Hypervisor  Check = "hypervisor"  // the node's hypervisor cannot be used
	VCPULimit   Check = "vcpu limit"  // the hypervisor allows a guest fewer vCPUs
	CPU         Check = "cpu"         // too few vCPUs left
	MemoryLimit Check = "memory size" // the host itself has less memory
	Memory      Check = "memory"      // too little memory left
	DiskFree    Check = "disk free"   // too little free disk now
	DiskTotal   Check = "disk size"   // too much virtual disk promised
)

// Verdict says whether a node can take the instance, and why not.
type Verdict struct {
	Node    string
	Refused Check  // the first check that failed; "" if the node fits
	Reason  string // the refusal in words, with numbers; "" if the node fits

	// Needed and Free are the numbers behind a refusal for want of room, in Unit. For the other refusals they are zero.
	Needed, Free int64
	Unit         string // "vCPUs", "MiB", "GiB" or "bytes"

	Room Room // before the placement
	Rank Rank // zero if the node was refused
}

// Fits reports whether the node can take the instance.
func (v Verdict) Fits() bool { return v.Refused == "" }

// String is the verdict in words, with numbers: why the node was refused, or what it can still take.
func (v Verdict) String() string {
	if !v.Fits() {
		return v.Reason
	}
	r := v.Room
	return fmt.Sprintf("has %d of %s, %d of %d MiB of memory and %d of %d GiB of disk free",
		r.VCPUs, quantity(r.VCPULimit, "vCPUs"), r.MemoryMiB, r.MemoryLimit, r.DiskGiB, r.DiskLimit)
}

// Rank is the order among nodes that fit. The first field in which two nodes differ decides; more is better.
type Rank struct {
	Affinity     int64   // sum of the weights of the tags carried by instances there
	Images       int     // how many of the wanted images are there
	FreeFraction float64 // of CPU or memory, whichever is scarcer, after the placement; between 0 and 1
}

func (r Rank) compare(s Rank) int {
	return cmp.Or(cmp.Compare(r.Affinity, s.Affinity), cmp.Compare(r.Images, s.Images),
		cmp.Compare(r.FreeFraction, s.FreeFraction))
}

// judge makes all checks of one node and ranks it if it passes.
func judge(n *Node, w Want, l Limits) Verdict {
	v := Verdict{Node: n.Name, Room: roomOn(n, l)}
	if v.refuseUnfit(n, w) || v.refuseCompute(n, w, l) || v.refuseDisk(n, w, l) {
		return v
	}
	v.Rank = Rank{
		Affinity: affinity(n.Tags, w.Affinity),
		Images:   imagesPresent(n.Images, w.Images),
		FreeFraction: min(fraction(v.Room.VCPUs-w.VCPUs, v.Room.VCPULimit),
			fraction(v.Room.MemoryMiB-w.MemoryMiB, v.Room.MemoryLimit)),
	}
	return v
}

// refuseUnfit refuses a node that should take no instance, however small.
func (v *Verdict) refuseUnfit(n *Node, w Want) bool {
	switch {
	case w.PlacedOn != "" && w.PlacedOn != n.Name:
		v.refuse(Placement, "the request names node "+w.PlacedOn)
	case n.State != Healthy:
		v.refuse(State, "is "+stateText(n.State))
	case !n.Hypervisor:
		v.refuse(Role, "is not a hypervisor")
	case n.Cordoned:
		v.refuse(Cordon, "is cordoned")
	case n.Unreachable != "":
		v.refuse(Hypervisor, "its hypervisor cannot be used: "+n.Unreachable)
	}
	return !v.Fits()
}

func (v *Verdict) refuseCompute(n *Node, w Want, l Limits) bool {
	r := &v.Room
	switch {
	case n.MaxVCPUs > 0 && w.VCPUs > n.MaxVCPUs:
		v.lacks(VCPULimit, "vCPUs", w.VCPUs, n.MaxVCPUs, "one instance can have at most %d here", n.MaxVCPUs)
	case w.VCPUs > r.VCPUs:
		v.lacks(CPU, "vCPUs", w.VCPUs, r.VCPUs, "%d free of %d (%d CPUs times %g) with %d committed",
			r.VCPUs, r.VCPULimit, n.CPUs, l.CPURatio, n.Committed.VCPUs)
	case w.MemoryMiB > r.MemoryMax:
		v.lacks(MemoryLimit, "MiB", w.MemoryMiB, r.MemoryMax,
			"one instance can have at most %d MiB here (%d MiB of memory less %d MiB reserve)",
			r.MemoryMax, n.MemoryMiB, l.MemoryReserveMiB)
	case w.MemoryMiB > r.MemoryMiB:
		v.lacks(Memory, "MiB", w.MemoryMiB, r.MemoryMiB,
			"%d MiB free of %d MiB (%d MiB less %d MiB reserve, times %g) after %d MiB committed",
			r.MemoryMiB, r.MemoryLimit, n.MemoryMiB, l.MemoryReserveMiB, l.MemoryRatio, n.Committed.MemoryMiB)
	}
	return !v.Fits()
}

func (v *Verdict) refuseDisk(n *Node, w Want, l Limits) bool {
	r := &v.Room
	switch {
	case w.GrowthBytes > r.GrowthBytes:
		v.lacks(DiskFree, "bytes", w.GrowthBytes, r.GrowthBytes,
			"%s of disk left of %s free after %s kept free and %s promised to instances being built",
			size(r.GrowthBytes), size(n.DiskFreeBytes), size(l.floorBytes(n.DiskTotalBytes)), size(n.GrowthBytes))
	case w.DiskGiB > r.DiskGiB:
		v.lacks(DiskTotal, "GiB", w.DiskGiB, r.DiskGiB,
			"%d GiB of virtual disk left of %d GiB (%s times %g) after %d GiB committed",
			r.DiskGiB, r.DiskLimit, size(n.DiskTotalBytes), l.DiskRatio, n.Committed.DiskGiB)
	}
	return !v.Fits()
}

func (v *Verdict) refuse(c Check, reason string) { v.Refused, v.Reason = c, reason }

// lacks refuses the node because need is more than free.
func (v *Verdict) lacks(c Check, unit string, need, free int64, format string, args ...any) {
	v.Needed, v.Free, v.Unit = need, free, unit
	v.refuse(c, "needs "+quantity(need, unit)+", "+fmt.Sprintf(format, args...))
}

// affinity sums, over the instances of a node, the weights of the tags they carry.
func affinity(tags, weights map[string]int) int64 {
	var up, down int64 // apart, so that the order of a map cannot change the sum where it saturates
	for tag, weight := range weights {
		n := int64(max(tags[tag], 0))
		switch {
		case weight > 0:
			up = plus(up, times(n, int64(weight)))
		case weight < 0:
			down = plus(down, times(n, -max(int64(weight), -math.MaxInt64)))
		}
	}
	return up - down
}

func imagesPresent(have, want []string) int {
	n := 0
	for i, image := range want {
		if !slices.Contains(want[:i], image) && slices.Contains(have, image) {
			n++
		}
	}
	return n
}

func fraction(free, limit int64) float64 { return float64(free) / float64(limit) }

// plus returns a + b of two numbers that are not negative, capped at what an int64 holds.
func plus(a, b int64) int64 { return a + min(b, math.MaxInt64-a) }

// times returns a * b of two numbers that are not negative, capped at what an int64 holds.
func times(a, b int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b)) //nolint:gosec // not negative
	if hi != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}
