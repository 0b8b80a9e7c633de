// Package scheduler decides where an instance runs, and says why.
//
// Pick is a pure function: it sees no store, no clock and no host. What it is given is what has been promised to
// instances (committed vCPUs, memory and disk), never what they happen to use at the moment, so two decisions that
// follow each other cannot both hand out the same room. The caller commits the answer together with its capacity claim.
package scheduler

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
)

const opPick = "scheduler.Pick"

// Healthy is the state of a node that takes instances.
const Healthy = "created"

// Node is what is known of one node.
type Node struct {
	Name        string // unique
	State       string // as the API shows it; only Healthy takes instances
	Hypervisor  bool   // the node has the hypervisor role
	Cordoned    bool   // an operator keeps new instances away
	Left        bool   // the node was stopped in order: nobody who did not ask for it needs to hear why it was not taken
	Unreachable string // why the node's hypervisor cannot be used; "" when it can

	CPUs           int64 // threads of the host
	MaxVCPUs       int64 // most vCPUs of one guest; 0 when the hypervisor names no limit
	MemoryMiB      int64 // memory of the host
	DiskTotalBytes int64 // size of the file system that holds the instances
	DiskFreeBytes  int64 // what is free on it now

	Committed   Committed
	GrowthBytes int64 // disk growth promised to instances that are still being built

	Images []string       // those of Want.Images that this node has already
	Tags   map[string]int // how many instances here, of the wanted instance's namespace, carry each tag
}

// Committed is what has been promised to the instances of a node.
type Committed struct {
	VCPUs     int64
	MemoryMiB int64
	DiskGiB   int64 // sum of virtual sizes
	Instances int64
}

// Want is what an instance needs.
type Want struct {
	VCPUs       int64          // at least 1
	MemoryMiB   int64          // at least 1
	DiskGiB     int64          // sum of the virtual sizes of its disks
	GrowthBytes int64          // what building it is expected to take from the disk at once
	PlacedOn    string         // the only node to consider; "" for any
	Affinity    map[string]int // tag to weight; negative keeps away
	Images      []string       // base images of its disks
}

// Pick returns the name of the best node for want, and a verdict on every node, ascending by name.
//
// Nodes without room are left out. The rest are ranked by affinity, then by how many of the wanted images they have,
// then by the fraction of CPU or memory, whichever is scarcer, that stays free. Equals are decided by rng, or by name
// if rng is nil. The order of nodes never matters.
//
// It fails with fault.Exhausted, summing up the refusals, if no node has room; with fault.NotFound if want.PlacedOn
// names a node that is unknown or not healthy; with fault.Invalid if want or limits make no sense. The verdicts are
// returned with the first two as well.
func Pick(nodes []Node, want Want, limits Limits, rng *rand.Rand) (string, []Verdict, error) {
	if err := want.check(); err != nil {
		return "", nil, err
	}
	if err := limits.check(); err != nil {
		return "", nil, err
	}
	sorted := slices.Clone(nodes)
	slices.SortFunc(sorted, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })

	verdicts := make([]Verdict, len(sorted))
	for i := range sorted {
		if i > 0 && sorted[i].Name == sorted[i-1].Name {
			return "", nil, fault.New(opPick, fault.Internal, sorted[i].Name, "the node is listed twice")
		}
		verdicts[i] = judge(&sorted[i], want, limits)
	}
	if err := Placeable(sorted, want.PlacedOn); err != nil {
		return "", verdicts, err
	}
	best := leaders(verdicts)
	switch {
	case len(best) == 0:
		return "", verdicts, exhausted(want, worthTelling(sorted, verdicts, want.PlacedOn))
	case rng == nil:
		return best[0].Node, verdicts, nil
	}
	return best[rng.IntN(len(best))].Node, verdicts, nil
}

// Placeable fails with fault.NotFound if the node that was asked for by name is unknown or not healthy. It looks at nothing
// else of nodes. A request that names none, by "", has all to choose from.
func Placeable(nodes []Node, name string) error {
	if name == "" {
		return nil
	}
	i := slices.IndexFunc(nodes, func(n Node) bool { return n.Name == name })
	switch {
	case i < 0:
		return fault.New(opPick, fault.NotFound, name,
			"Specified node does not exist: no node is named %.80q; leave placed_on out or name another", name)
	case nodes[i].State != Healthy:
		return fault.New(opPick, fault.NotFound, name,
			"Specified node not ready: %s is %s; leave placed_on out or name another", name, stateText(nodes[i].State))
	}
	return nil
}

// leaders returns the verdicts that share the best rank, ascending by name.
func leaders(verdicts []Verdict) []Verdict {
	var best []Verdict
	for _, v := range verdicts {
		if !v.Fits() {
			continue
		}
		order := -1
		if len(best) > 0 {
			order = best[0].Rank.compare(v.Rank)
		}
		if order < 0 {
			best = best[:0]
		}
		if order <= 0 {
			best = append(best, v)
		}
	}
	return best
}

func (w Want) check() error {
	fields := []struct {
		name       string
		value, min int64
	}{
		{"cpus", w.VCPUs, 1},
		{"memory", w.MemoryMiB, 1},
		{"disk size", w.DiskGiB, 0},
		{"expected disk growth", w.GrowthBytes, 0},
	}
	for _, f := range fields {
		if f.value < f.min {
			return fault.New(opPick, fault.Invalid, "", "%s is %d and must be at least %d", f.name, f.value, f.min)
		}
	}
	return nil
}
