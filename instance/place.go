package instance

import (
	"context"
	"math/rand/v2"

	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/scheduler"
)

// capacity is what a node has promised to its instances, under "capacity/<node>". A create checks its revision, so the sum
// can't be overdrawn; it is given back in the commit that ends the instance.
type capacity struct {
	VCPUs     int64 `json:"vcpus"`
	MemoryMiB int64 `json:"memory_mib"`
	DiskGiB   int64 `json:"disk_gib"`
	Instances int64 `json:"instances"`
}

func (c capacity) plus(d capacity) capacity {
	return capacity{VCPUs: c.VCPUs + d.VCPUs, MemoryMiB: c.MemoryMiB + d.MemoryMiB, DiskGiB: c.DiskGiB + d.DiskGiB, Instances: c.Instances + d.Instances}
}

func (c capacity) minus(d capacity) capacity {
	return c.plus(capacity{VCPUs: -d.VCPUs, MemoryMiB: -d.MemoryMiB, DiskGiB: -d.DiskGiB, Instances: -d.Instances})
}

// share is what one instance needs of its node. A disk without a size counts with that of its image, where it is known.
func (s *Spec) share(images []image) capacity {
	c := capacity{VCPUs: int64(s.CPUs), MemoryMiB: int64(s.MemoryMiB), Instances: 1}
	for n, d := range s.Disks {
		size := int64(d.SizeGiB)
		if size == 0 && n < len(images) {
			size = images[n].GiB
		}
		c.DiskGiB += size
	}
	return c
}

// growth is what building an instance is expected to take of the disk at once, in bytes.
const growth = 1 << 30

// Decision is where an instance goes, and why nowhere else.
type Decision struct {
	Node     string              // "" if no node can take it
	Verdicts []scheduler.Verdict // on every node, ascending by name
}

// place picks a node for s, which is made of images, and adds the claim of its capacity to tx. It fails as scheduler.Pick does, and then returns the
// verdicts all the same.
func (m *Manager) place(ctx context.Context, tx *view.Txn, s *Spec, images []image) (d Decision, err error) {
	affinity, err := metadata.Affinity(s.Metadata)
	if err != nil {
		return d, err
	}
	share := s.share(images)
	want := scheduler.Want{
		VCPUs: share.VCPUs, MemoryMiB: share.MemoryMiB, DiskGiB: share.DiskGiB,
		GrowthBytes: growth, PlacedOn: s.PlacedOn, Affinity: affinity,
	}
	rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // spreads, does not protect
	d.Node, d.Verdicts, err = scheduler.Pick(m.candidates(ctx, tx, s, affinity), want, m.Limits, rng)
	if err == nil {
		m.claimCapacity(tx, d.Node, share)
	}
	return d, err
}

// placeable fails with fault.NotFound if the only node that an instance may have takes none. It is asked before the networks
// are looked at: clients wait for a network that is being made.
func (m *Manager) placeable(ctx context.Context, name string) error {
	var nodes []scheduler.Node
	for _, n := range m.Nodes.List(ctx) {
		nodes = append(nodes, scheduler.Node{Name: n.Name, State: string(n.State)})
	}
	return scheduler.Placeable(nodes, name)
}

// candidates are the nodes as the scheduler sees them.
func (m *Manager) candidates(ctx context.Context, tx *view.Txn, s *Spec, affinity map[string]int) []scheduler.Node {
	var nodes []scheduler.Node
	for _, n := range m.Nodes.List(ctx) {
		c := m.candidate(tx, n)
		c.Tags = m.tagsOn(n.Name, s.Namespace, affinity)
		nodes = append(nodes, c)
	}
	return nodes
}

// candidate is a node as the scheduler sees it, with what tx is about to promise there.
func (m *Manager) candidate(tx *view.Txn, n node.Node) scheduler.Node {
	c, growing := m.promised(tx, n.Name)
	return scheduler.Node{
		Name: n.Name, State: string(n.State), Hypervisor: n.IsHypervisor, Unreachable: n.Down,
		Left: n.State == node.Stopped || n.State == node.Deleted,
		CPUs: int64(n.CPUs), MaxVCPUs: int64(n.MaxVCPUs), MemoryMiB: int64(n.MemoryMiB),
		DiskTotalBytes: n.DiskTotal, DiskFreeBytes: n.DiskFree,
		Committed:   scheduler.Committed{VCPUs: c.VCPUs, MemoryMiB: c.MemoryMiB, DiskGiB: c.DiskGiB, Instances: c.Instances},
		GrowthBytes: growth * growing,
	}
}

// tagsOn counts, by tag, the namespace's instances on a node. Only who has an affinity pays for it.
func (m *Manager) tagsOn(name, ns string, affinity map[string]int) map[string]int {
	if len(affinity) == 0 {
		return nil
	}
	tags := map[string]int{}
	for _, r := range m.rows.By("node", name) {
		if s, _ := m.statuses.Get(r.ID); r.Value.Spec.Namespace != ns || s.Value.State == Deleted || s.Value.State == Error {
			continue
		}
		for _, t := range metadata.Tags(m.Metadata.Of("instance", r.ID)) {
			tags[t]++
		}
	}
	return tags
}

// free adds to tx that an instance's share of its node's capacity is free again.
func (m *Manager) free(tx *view.Txn, r *record) {
	row, _ := m.capacity.Get(r.Node)
	tx.Check(m.capacity.At(row, r.Node))
	tx.Do(m.capacity.Put(r.Node, row.Value.minus(r.Spec.share(r.Images))))
}
