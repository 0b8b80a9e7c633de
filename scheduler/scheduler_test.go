package scheduler_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/scheduler"
)

const gib = int64(1) << 30

// host is an empty healthy node: 8 CPUs, 16 GiB, 500 GiB of disk.
func host(name string, change ...func(*scheduler.Node)) scheduler.Node {
	n := scheduler.Node{
		Name: name, State: scheduler.Healthy, Hypervisor: true,
		CPUs: 8, MaxVCPUs: 64, MemoryMiB: 16384,
		DiskTotalBytes: 500 * gib, DiskFreeBytes: 500 * gib,
	}
	for _, c := range change {
		c(&n)
	}
	return n
}

func small() scheduler.Want {
	return scheduler.Want{VCPUs: 2, MemoryMiB: 2048, DiskGiB: 20, GrowthBytes: 2 * gib}
}

func TestRefusalsGiveTheFirstReasonWithNumbers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		node   func(*scheduler.Node)
		want   func(*scheduler.Want)
		check  scheduler.Check
		reason string
	}{
		{
			"a node that is stopping takes nothing",
			func(n *scheduler.Node) { n.State = "stopping"; n.Cordoned = true }, nil,
			scheduler.State, "is stopping",
		},
		{
			"a storage node takes nothing",
			func(n *scheduler.Node) { n.Hypervisor = false }, nil,
			scheduler.Role, "is not a hypervisor",
		},
		{
			"a cordoned node takes nothing",
			func(n *scheduler.Node) { n.Cordoned = true }, nil,
			scheduler.Cordon, "is cordoned",
		},
		{
			"a node whose libvirt is down says so",
			func(n *scheduler.Node) { n.Unreachable = "libvirtd does not answer" }, nil,
			scheduler.Hypervisor, "its hypervisor cannot be used: libvirtd does not answer",
		},
		{
			"a guest may not have more vCPUs than the hypervisor allows",
			nil, func(w *scheduler.Want) { w.VCPUs = 65 },
			scheduler.VCPULimit, "needs 65 vCPUs, one instance can have at most 64 here",
		},
		{
			"vCPUs are counted by what is committed",
			func(n *scheduler.Node) { n.Committed.VCPUs = 127 }, nil,
			scheduler.CPU, "needs 2 vCPUs, 1 free of 128 (8 CPUs times 16) with 127 committed",
		},
		{
			"a guest may not be larger than the host, whatever the overcommit",
			nil, func(w *scheduler.Want) { w.MemoryMiB = 14337 },
			scheduler.MemoryLimit,
			"needs 14337 MiB, one instance can have at most 14336 MiB here (16384 MiB of memory less 2048 MiB reserve)",
		},
		{
			"memory is counted by what is committed",
			func(n *scheduler.Node) { n.Committed.MemoryMiB = 41000 }, nil,
			scheduler.Memory,
			"needs 2048 MiB, 2008 MiB free of 43008 MiB (16384 MiB less 2048 MiB reserve, times 3) after 41000 MiB committed",
		},
		{
			"disk promised to instances being built is not free",
			func(n *scheduler.Node) { n.DiskFreeBytes = 30 * gib; n.GrowthBytes = 9 * gib }, nil,
			scheduler.DiskFree,
			"needs 2.0 GiB, 1.0 GiB of disk left of 30.0 GiB free after 20.0 GiB kept free and 9.0 GiB promised to instances being built",
		},
		{
			"virtual disk is bounded by the size of the disk",
			func(n *scheduler.Node) { n.Committed.DiskGiB = 4990 }, nil,
			scheduler.DiskTotal,
			"needs 20 GiB, 10 GiB of virtual disk left of 5000 GiB (500.0 GiB times 10) after 4990 GiB committed",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n, w := host("node-1"), small()
			if tt.node != nil {
				tt.node(&n)
			}
			if tt.want != nil {
				tt.want(&w)
			}
			_, verdicts, err := scheduler.Pick([]scheduler.Node{n}, w, scheduler.DefaultLimits(), nil)
			if !errors.Is(err, fault.Exhausted) {
				t.Fatalf("error is %v, want exhausted", err)
			}
			v := verdicts[0]
			if v.Refused != tt.check || v.Reason != tt.reason {
				t.Errorf("refused for %q: %q\nwant %q: %q", v.Refused, v.Reason, tt.check, tt.reason)
			}
			if !strings.Contains(fault.Text(err), "node-1 "+tt.reason) {
				t.Errorf("the error does not tell the reason: %s", fault.Text(err))
			}
			if v.Unit != "" && v.Needed <= v.Free {
				t.Errorf("needs %d and %d %s free is no reason to refuse", v.Needed, v.Free, v.Unit)
			}
		})
	}
}

func TestANodeThatIsJustLargeEnoughTakesTheInstance(t *testing.T) {
	t.Parallel()
	n := host("node-1")
	n.Committed = scheduler.Committed{VCPUs: 126, MemoryMiB: 40960, DiskGiB: 4980, Instances: 40}
	n.DiskFreeBytes, n.GrowthBytes = 30*gib, 8*gib
	got, verdicts, err := scheduler.Pick([]scheduler.Node{n}, small(), scheduler.DefaultLimits(), nil)
	if err != nil || got != "node-1" {
		t.Fatalf("picked %q, %v", got, err)
	}
	want := scheduler.Room{
		VCPUs: 2, VCPULimit: 128, MemoryMiB: 2048, MemoryLimit: 43008, MemoryMax: 14336,
		DiskGiB: 20, DiskLimit: 5000, GrowthBytes: 2 * gib,
	}
	if verdicts[0].Room != want {
		t.Errorf("room is %+v, want %+v", verdicts[0].Room, want)
	}
	if verdicts[0].Rank.FreeFraction != 0 {
		t.Errorf("free fraction is %g on a full node", verdicts[0].Rank.FreeFraction)
	}
}

func TestRanking(t *testing.T) {
	t.Parallel()
	busy := func(n *scheduler.Node) { n.Committed.MemoryMiB = 20000 }
	tests := []struct {
		name  string
		nodes []scheduler.Node
		want  func(*scheduler.Want)
		best  string
	}{
		{
			"the node with more left is better",
			[]scheduler.Node{host("a", busy), host("b")},
			nil, "b",
		},
		{
			"the scarcer of CPU and memory counts",
			[]scheduler.Node{
				host("a", func(n *scheduler.Node) { n.Committed.VCPUs = 120 }),
				host("b", busy),
			},
			nil, "b",
		},
		{
			"equals are decided by name",
			[]scheduler.Node{host("b"), host("c"), host("a")},
			nil, "a",
		},
		{
			"an image that is there beats free room",
			[]scheduler.Node{host("a"), host("b", busy, func(n *scheduler.Node) { n.Images = []string{"blob-1"} })},
			func(w *scheduler.Want) { w.Images = []string{"blob-1", "blob-1", "blob-2"} }, "b",
		},
		{
			"affinity beats an image that is there",
			[]scheduler.Node{
				host("a", func(n *scheduler.Node) { n.Images = []string{"blob-1"} }),
				host("b", func(n *scheduler.Node) { n.Tags = map[string]int{"web": 1} }),
			},
			func(w *scheduler.Want) { w.Images = []string{"blob-1"}; w.Affinity = map[string]int{"web": 5} }, "b",
		},
		{
			"affinity counts every instance that carries the tag",
			[]scheduler.Node{
				host("a", func(n *scheduler.Node) { n.Tags = map[string]int{"web": 1} }),
				host("b", func(n *scheduler.Node) { n.Tags = map[string]int{"db": 3} }),
			},
			func(w *scheduler.Want) { w.Affinity = map[string]int{"web": 5, "db": 2} }, "b",
		},
		{
			"a negative weight keeps apart",
			[]scheduler.Node{host("a", func(n *scheduler.Node) { n.Tags = map[string]int{"web": 1} }), host("b", busy)},
			func(w *scheduler.Want) { w.Affinity = map[string]int{"web": -1} }, "b",
		},
		{
			"affinity does not refuse: the only node with room is taken",
			[]scheduler.Node{
				host("a", func(n *scheduler.Node) { n.Tags = map[string]int{"web": 9} }),
				host("b", func(n *scheduler.Node) { n.Cordoned = true }),
			},
			func(w *scheduler.Want) { w.Affinity = map[string]int{"web": -1} }, "a",
		},
		{
			"the node asked for is taken though another is better",
			[]scheduler.Node{host("a"), host("b", busy)},
			func(w *scheduler.Want) { w.PlacedOn = "b" }, "b",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := small()
			if tt.want != nil {
				tt.want(&w)
			}
			got, _, err := scheduler.Pick(tt.nodes, w, scheduler.DefaultLimits(), nil)
			if err != nil || got != tt.best {
				t.Errorf("picked %q, %v; want %q", got, err, tt.best)
			}
		})
	}
}

func TestRandomDecidesOnlyAmongEquals(t *testing.T) {
	t.Parallel()
	nodes := []scheduler.Node{
		host("a"), host("b"), host("c"), host("d", func(n *scheduler.Node) { n.Committed.MemoryMiB = 1 }),
	}
	pick := func(seed uint64) string {
		got, _, err := scheduler.Pick(nodes, small(), scheduler.DefaultLimits(), rand.New(rand.NewPCG(seed, 0)))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	seen := map[string]int{}
	for seed := range uint64(100) {
		got := pick(seed)
		if again := pick(seed); again != got {
			t.Errorf("seed %d picked %q, then %q", seed, got, again)
		}
		seen[got]++
	}
	if seen["a"] == 0 || seen["b"] == 0 || seen["c"] == 0 || seen["d"] != 0 {
		t.Errorf("picks were %v, want a, b and c but never d", seen)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	many := make([]scheduler.Node, 0, 9)
	for i := range 6 {
		many = append(many, host(fmt.Sprintf("node-%d", i), func(n *scheduler.Node) {
			n.Committed.MemoryMiB = int64(42000 - i)
		}))
	}
	many = append(many, host("node-7", func(n *scheduler.Node) { n.Cordoned = true }))
	tests := []struct {
		name   string
		nodes  []scheduler.Node
		want   func(*scheduler.Want)
		limits func(*scheduler.Limits)
		kind   fault.Kind
		text   string
	}{
		{
			"an empty cloud", nil, nil, nil, fault.Exhausted,
			"the cloud has no node: start a daemon with the hypervisor role",
		},
		{
			"few refusals are told one by one",
			[]scheduler.Node{
				host("b", func(n *scheduler.Node) { n.State = "" }),
				host("a", func(n *scheduler.Node) { n.Cordoned = true }),
			},
			nil, nil, fault.Exhausted,
			"no node can take 2 vCPUs, 2048 MiB of memory and 20 GiB of disk: a is cordoned; b is in no known state",
		},
		{
			"many refusals are told as counts with the closest node", many, nil, nil, fault.Exhausted,
			"no node can take 2 vCPUs, 2048 MiB of memory and 20 GiB of disk: 6 nodes refused for memory (node-5 needs " +
				"2048 MiB, 1013 MiB free of 43008 MiB (16384 MiB less 2048 MiB reserve, times 3) after 41995 MiB committed); " +
				"1 node refused for cordon (node-7 is cordoned)",
		},
		{
			"only the node that was asked for is told about", many,
			func(w *scheduler.Want) { w.PlacedOn = "node-7"; w.VCPUs = 1 }, nil, fault.Exhausted,
			"no node can take 1 vCPU, 2048 MiB of memory and 20 GiB of disk: node-7 is cordoned",
		},
		{
			"nodes that left in order are not told of",
			[]scheduler.Node{
				host("a", func(n *scheduler.Node) { n.State, n.Left = "stopped", true }),
				host("b", func(n *scheduler.Node) { n.Cordoned = true }),
			},
			nil, nil, fault.Exhausted,
			"no node can take 2 vCPUs, 2048 MiB of memory and 20 GiB of disk: b is cordoned",
		},
		{
			"a cloud that all nodes left",
			[]scheduler.Node{host("a", func(n *scheduler.Node) { n.State, n.Left = "stopped", true })},
			nil, nil, fault.Exhausted,
			"the cloud has no node: start a daemon with the hypervisor role",
		},
		{
			"an unknown node", many, func(w *scheduler.Want) { w.PlacedOn = "node-9" }, nil, fault.NotFound,
			`Specified node does not exist: no node is named "node-9"; leave placed_on out or name another`,
		},
		{
			"a node that is missing",
			[]scheduler.Node{host("a", func(n *scheduler.Node) { n.State = "missing" })},
			func(w *scheduler.Want) { w.PlacedOn = "a" }, nil, fault.NotFound,
			"Specified node not ready: a is missing; leave placed_on out or name another",
		},
		{
			"no vCPUs", nil, func(w *scheduler.Want) { w.VCPUs = 0 }, nil, fault.Invalid,
			"cpus is 0 and must be at least 1",
		},
		{
			"negative memory", nil, func(w *scheduler.Want) { w.MemoryMiB = -1 }, nil, fault.Invalid,
			"memory is -1 and must be at least 1",
		},
		{
			"limits nobody set", nil, nil, func(l *scheduler.Limits) { *l = scheduler.Limits{} }, fault.Invalid,
			"CPU_OVERCOMMIT_RATIO is 0 and must be between 0.001 and 1e+06",
		},
		{
			"a negative reserve", nil, nil, func(l *scheduler.Limits) { l.MemoryReserveMiB = -5 }, fault.Invalid,
			"RAM_SYSTEM_RESERVATION is -5 MiB and must not be negative",
		},
		{
			"a node listed twice",
			[]scheduler.Node{host("a"), host("a")},
			nil, nil, fault.Internal,
			"the node is listed twice",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, l := small(), scheduler.DefaultLimits()
			if tt.want != nil {
				tt.want(&w)
			}
			if tt.limits != nil {
				tt.limits(&l)
			}
			got, _, err := scheduler.Pick(tt.nodes, w, l, nil)
			if got != "" || fault.KindOf(err) != tt.kind || fault.Text(err) != tt.text {
				t.Errorf("picked %q, %v: %s\nwant %v: %s", got, fault.KindOf(err), fault.Text(err), tt.kind, tt.text)
			}
		})
	}
}

func BenchmarkPickAmong100Nodes(b *testing.B) {
	nodes := make([]scheduler.Node, 100)
	for i := range nodes {
		nodes[i] = host(fmt.Sprintf("node-%03d", i*37%100), func(n *scheduler.Node) {
			n.Committed.MemoryMiB = int64(i * 400)
			n.Tags = map[string]int{"web": i % 3, "db": i % 2}
			n.Images = []string{"blob-1"}
		})
	}
	w := small()
	w.Affinity, w.Images = map[string]int{"web": 1, "db": -2}, []string{"blob-1"}
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		if _, _, err := scheduler.Pick(nodes, w, scheduler.DefaultLimits(), rng); err != nil {
			b.Fatal(err)
		}
	}
}

func ExamplePick() {
	nodes := []scheduler.Node{
		{
			Name: "node-1", State: scheduler.Healthy, Hypervisor: true, CPUs: 8, MemoryMiB: 8192,
			DiskTotalBytes: 500 << 30, DiskFreeBytes: 400 << 30,
			Committed: scheduler.Committed{MemoryMiB: 17000},
		},
		{
			Name: "node-2", State: scheduler.Healthy, Hypervisor: true, CPUs: 8, MemoryMiB: 8192,
			DiskTotalBytes: 500 << 30, DiskFreeBytes: 400 << 30,
		},
	}
	want := scheduler.Want{VCPUs: 2, MemoryMiB: 2048, DiskGiB: 20, GrowthBytes: 1 << 30}
	node, verdicts, err := scheduler.Pick(nodes, want, scheduler.DefaultLimits(), nil)
	fmt.Println(node, err)
	for _, v := range verdicts {
		fmt.Println(v.Node, v.Reason)
	}
	// Output:
	// node-2 <nil>
	// node-1 needs 2048 MiB, 1432 MiB free of 18432 MiB (8192 MiB less 2048 MiB reserve, times 3) after 17000 MiB committed
	// node-2
}
