package scheduler_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/scheduler"
)

// amount draws plausible numbers and absurd ones.
func amount(absurd bool) *rapid.Generator[int64] {
	if !absurd {
		return rapid.Int64Range(0, 64)
	}
	return rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}))
}

// drawNode draws a node whose amounts, unless they are absurd, are of the size at which one limit or another is met.
func drawNode(t *rapid.T, name string, absurd bool) scheduler.Node {
	a := func(label string, unit int64) int64 {
		if absurd {
			unit = 1
		}
		return amount(absurd).Draw(t, name+" "+label) * unit
	}
	return scheduler.Node{
		Name:           name,
		State:          rapid.SampledFrom([]string{scheduler.Healthy, scheduler.Healthy, scheduler.Healthy, "missing"}).Draw(t, "state"),
		Hypervisor:     rapid.IntRange(0, 9).Draw(t, "role") > 0,
		Cordoned:       rapid.IntRange(0, 9).Draw(t, "cordon") == 0,
		Unreachable:    rapid.SampledFrom([]string{"", "", "", "down"}).Draw(t, "unreachable"),
		CPUs:           a("cpus", 1),
		MaxVCPUs:       a("max vcpus", 1),
		MemoryMiB:      a("memory", 512),
		DiskTotalBytes: a("disk", 8*gib),
		DiskFreeBytes:  a("disk free", 8*gib),
		GrowthBytes:    a("growth", gib),
		Committed: scheduler.Committed{
			VCPUs: a("vcpus", 2), MemoryMiB: a("guests", 256), DiskGiB: a("virtual", 8), Instances: a("instances", 1),
		},
		Images: rapid.SliceOf(rapid.SampledFrom([]string{"i", "j"})).Draw(t, "images"),
		Tags:   rapid.MapOf(rapid.SampledFrom([]string{"web", "db"}), rapid.Int()).Draw(t, "tags"),
	}
}

func drawWant(t *rapid.T, absurd bool) scheduler.Want {
	return scheduler.Want{
		VCPUs:       max(1, amount(absurd).Draw(t, "want vcpus")),
		MemoryMiB:   max(1, amount(absurd).Draw(t, "want memory")),
		DiskGiB:     max(0, amount(absurd).Draw(t, "want disk")),
		GrowthBytes: max(0, amount(absurd).Draw(t, "want growth")),
		Affinity:    rapid.MapOf(rapid.SampledFrom([]string{"web", "db"}), rapid.Int()).Draw(t, "affinity"),
		Images:      rapid.SliceOf(rapid.SampledFrom([]string{"i", "j"})).Draw(t, "want images"),
	}
}

// overLimit says in exact arithmetic, by the definitions alone, which limit an instance on n would break.
func overLimit(n scheduler.Node, w scheduler.Want, l scheduler.Limits) string {
	whole := func(v int64) *big.Rat { return new(big.Rat).SetInt64(max(v, 0)) }
	times := func(a *big.Rat, ratio float64) *big.Rat {
		return a.Mul(a, big.NewRat(int64(math.Round(ratio*1000)), 1000))
	}
	sum := func(a ...int64) *big.Rat {
		s := new(big.Rat)
		for _, v := range a {
			s.Add(s, whole(v))
		}
		return s
	}
	usable := new(big.Rat).Sub(whole(n.MemoryMiB), whole(l.MemoryReserveMiB))
	if usable.Sign() < 0 {
		usable.SetInt64(0)
	}
	floor := l.MinimumFreeDiskBytes
	if floor < 0 {
		floor = min(20*gib, max(n.DiskTotalBytes, 0)/10)
	}
	switch {
	case n.State != scheduler.Healthy || !n.Hypervisor || n.Cordoned || n.Unreachable != "":
		return "the node takes no instances"
	case n.MaxVCPUs > 0 && w.VCPUs > n.MaxVCPUs:
		return "vCPUs of one guest"
	case sum(n.Committed.VCPUs, w.VCPUs).Cmp(times(whole(n.CPUs), l.CPURatio)) > 0:
		return "vCPUs"
	case whole(w.MemoryMiB).Cmp(usable) > 0:
		return "memory of one guest"
	case sum(n.Committed.MemoryMiB, w.MemoryMiB).Cmp(times(usable, l.MemoryRatio)) > 0:
		return "memory"
	case w.GrowthBytes > 0 && sum(floor, n.GrowthBytes, w.GrowthBytes).Cmp(whole(n.DiskFreeBytes)) > 0:
		return "free disk"
	}
	virtual := sum(n.Committed.DiskGiB, w.DiskGiB)
	virtual.Mul(virtual, big.NewRat(gib, 1))
	if w.DiskGiB > 0 && virtual.Cmp(times(whole(n.DiskTotalBytes), l.DiskRatio)) > 0 {
		return "virtual disk"
	}
	return ""
}

// checkPick asserts everything that holds for any input.
func checkPick(t *rapid.T, absurd bool) {
	nodes := make([]scheduler.Node, rapid.IntRange(0, 6).Draw(t, "nodes"))
	for i := range nodes {
		nodes[i] = drawNode(t, fmt.Sprintf("node-%d", i), absurd)
	}
	w, l := drawWant(t, absurd), scheduler.DefaultLimits()
	l.CPURatio = rapid.Float64Range(0.001, 1e6).Draw(t, "cpu ratio")
	l.MemoryReserveMiB = rapid.Int64Range(0, 4096).Draw(t, "reserve")
	l.MinimumFreeDiskBytes = rapid.SampledFrom([]int64{-1, 0, gib, math.MaxInt64}).Draw(t, "floor")
	seed := rapid.Uint64().Draw(t, "seed")

	got, verdicts, err := scheduler.Pick(nodes, w, l, rand.New(rand.NewPCG(seed, 1)))
	if len(verdicts) != len(nodes) {
		t.Fatalf("%d verdicts on %d nodes", len(verdicts), len(nodes))
	}
	fits := 0
	for i, v := range verdicts { // both ascending by name
		over := overLimit(nodes[i], w, l)
		if v.Fits() && over != "" {
			t.Fatalf("%s fits, but would be over its limit of %s", v.Node, over)
		}
		// An absurd disk is capped at what an int64 holds, which may refuse but never admit.
		if !absurd && !v.Fits() && over == "" {
			t.Fatalf("%s is refused within its limits: %s", v.Node, v.Reason)
		}
		if v.Fits() != (v.Reason == "") {
			t.Fatalf("%s: refused for %q with reason %q", v.Node, v.Refused, v.Reason)
		}
		if v.Fits() {
			fits++
			if f := v.Rank.FreeFraction; f < 0 || f > 1 || math.IsNaN(f) {
				t.Fatalf("%s: free fraction %g", v.Node, f)
			}
		}
	}
	if fits == 0 && !errors.Is(err, fault.Exhausted) || fits > 0 && (err != nil || got == "") {
		t.Fatalf("%d nodes fit, picked %q, %v", fits, got, err)
	}

	shuffled := append([]scheduler.Node(nil), nodes...)
	rand.New(rand.NewPCG(seed, 2)).Shuffle(len(shuffled), func(i, j int) {
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	})
	again, verdictsAgain, errAgain := scheduler.Pick(shuffled, w, l, rand.New(rand.NewPCG(seed, 1)))
	if again != got || !reflect.DeepEqual(verdictsAgain, verdicts) || fault.Text(errAgain) != fault.Text(err) {
		t.Fatalf("another order of nodes picked %q instead of %q", again, got)
	}
}

func TestNeverPicksANodeOverItsLimitsInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { checkPick(t, false) })
}

func TestAbsurdNumbersNeitherOverflowNorAdmit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { checkPick(t, true) })
}

func FuzzPick(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { checkPick(t, rapid.Bool().Draw(t, "absurd")) }))
}

// It places instances until none fits.
func TestFillingACloudStopsExactlyAtItsLimits(t *testing.T) {
	t.Parallel()
	nodes := []scheduler.Node{host("a"), host("b", func(n *scheduler.Node) { n.CPUs = 2 })}
	w, l := scheduler.Want{VCPUs: 3, MemoryMiB: 1024, DiskGiB: 10, GrowthBytes: gib}, scheduler.DefaultLimits()
	placed := 0
	for {
		got, _, err := scheduler.Pick(nodes, w, l, nil)
		if errors.Is(err, fault.Exhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range nodes {
			if nodes[i].Name == got {
				nodes[i].Committed.VCPUs += w.VCPUs
				nodes[i].Committed.MemoryMiB += w.MemoryMiB
				nodes[i].Committed.DiskGiB += w.DiskGiB
				nodes[i].GrowthBytes += w.GrowthBytes
			}
		}
		placed++
	}
	// a: 42 by vCPUs (128/3) and by memory (42 GiB); b: 10 by vCPUs (32/3).
	if placed != 52 {
		t.Errorf("placed %d instances, want 52: %+v", placed, nodes)
	}
}
