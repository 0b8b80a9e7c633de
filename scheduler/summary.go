package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
)

// namedRefusals is how many refusals are told one by one; more are told as counts.
const namedRefusals = 4

// worthTelling returns the verdicts that an error names: on the node that was asked for, or on all that have not left.
func worthTelling(nodes []Node, verdicts []Verdict, placedOn string) []Verdict {
	var asked []Verdict
	for i, v := range verdicts {
		if placedOn == v.Node || placedOn == "" && !nodes[i].Left {
			asked = append(asked, v)
		}
	}
	return asked
}

// exhausted is the error for an instance that no node has room for.
func exhausted(w Want, asked []Verdict) error {
	if len(asked) == 0 {
		return fault.New(opPick, fault.Exhausted, "", "the cloud has no node: start a daemon with the hypervisor role")
	}
	summary := oneByOne(asked)
	if len(asked) > namedRefusals {
		summary = counted(asked)
	}
	return fault.New(opPick, fault.Exhausted, "", "no node can take %s, %d MiB of memory and %d GiB of disk: %s",
		quantity(w.VCPUs, "vCPUs"), w.MemoryMiB, w.DiskGiB, summary)
}

func oneByOne(verdicts []Verdict) string {
	parts := make([]string, len(verdicts))
	for i, v := range verdicts {
		parts[i] = v.Node + " " + v.Reason
	}
	return strings.Join(parts, "; ")
}

// counted groups refusals by check, most frequent first, each with the node that came closest.
func counted(verdicts []Verdict) string {
	groups := make(map[Check][]Verdict)
	for _, v := range verdicts {
		groups[v.Refused] = append(groups[v.Refused], v)
	}
	sorted := make([][]Verdict, 0, len(groups))
	for _, g := range groups {
		sorted = append(sorted, g)
	}
	slices.SortFunc(sorted, func(a, b []Verdict) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(string(a[0].Refused), string(b[0].Refused))
	})
	parts := make([]string, len(sorted))
	for i, g := range sorted {
		closest := slices.MaxFunc(g, func(a, b Verdict) int {
			if a.Free != b.Free {
				return cmp.Compare(a.Free, b.Free)
			}
			return strings.Compare(b.Node, a.Node)
		})
		parts[i] = plural(len(g)) + " refused for " + string(g[0].Refused) + " (" + closest.Node + " " + closest.Reason + ")"
	}
	return strings.Join(parts, "; ")
}

func plural(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

// stateText is a node's state in a sentence.
func stateText(state string) string {
	if state == "" {
		return "in no known state"
	}
	return state
}

// quantity is n of a unit, for people.
func quantity(n int64, unit string) string {
	switch {
	case unit == "bytes":
		return size(n)
	case n == 1 && unit == "vCPUs":
		return "1 vCPU"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// size is a number of bytes for people: exact below 1 MiB, else rounded down to a tenth.
func size(n int64) string {
	switch {
	case n >= gib:
		return fmt.Sprintf("%d.%d GiB", n/gib, n%gib*10/gib)
	case n >= mib:
		return fmt.Sprintf("%d.%d MiB", n/mib, n%mib*10/mib)
	}
	return fmt.Sprintf("%d bytes", n)
}
