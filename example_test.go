package shakenfist_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/scheduler"
	"github.com/shakenfist/shakenfist/simulation"
)

// A cloud made of simulations: a network, an instance on it, and what is told of the instance.
func Example() {
	ctx := context.Background()
	cloud, err := shakenfist.New(simulation.Config())
	if err != nil {
		panic(err)
	}
	stop := cloud.Start(ctx)
	_, err = cloud.Networks.CreateAndWait(ctx, network.Spec{Name: "lan", Namespace: "system", Netblock: "10.0.0.0/24", DHCP: true})
	if err != nil {
		panic(err)
	}
	vm, err := cloud.Instances.CreateAndWait(ctx, instance.Spec{
		Name: "web", Namespace: "system", CPUs: 1, MemoryMiB: 512,
		Disks:    []instance.DiskSpec{{SizeGiB: 8}},
		Networks: []network.Request{{Network: "lan", Address: "10.0.0.9"}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(vm.Name, "is", vm.State, "and", vm.Power, "at", cloud.Networks.InterfacesOf(ctx, vm.ID)[0].Address)
	told, err := cloud.Events.List(ctx, event.Object{Kind: "instance", ID: vm.ID}, "", 0)
	if err != nil {
		panic(err)
	}
	for _, e := range told {
		fmt.Printf("%s: %s\n", e.Type, e.Message)
	}
	fmt.Println(stop())
	// Output:
	// web is created and on at 10.0.0.9
	// status: created
	// status: disks laid out
	// status: building began
	// audit: create request
	// <nil>
}

// An instance for which no node has room is refused with the numbers, and nothing of it was made.
func ExampleCloud_noRoom() {
	ctx := context.Background()
	config := simulation.Config()
	config.Node = "node-1"
	config.Limits = scheduler.DefaultLimits()
	cloud, err := shakenfist.New(config)
	if err != nil {
		panic(err)
	}
	stop := cloud.Start(ctx)
	_, err = cloud.Instances.Create(ctx, instance.Spec{
		Name: "huge", Namespace: "system", CPUs: 1, MemoryMiB: 1 << 30, Disks: []instance.DiskSpec{{SizeGiB: 8}},
	})
	fmt.Println(errors.Is(err, fault.Exhausted), fault.Text(err))
	fmt.Println(len(cloud.Instances.List(ctx, instance.Filter{})), stop())
	// Output:
	// true no node can take 1 vCPU, 1073741824 MiB of memory and 8 GiB of disk: node-1 needs 1073741824 MiB, one instance can have at most 2095104 MiB here (2097152 MiB of memory less 2048 MiB reserve)
	// 0 <nil>
}

func TestTheEmbeddingExampleRuns(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "run", "./examples/embed").CombinedOutput()
	require.NoError(t, err, "%s", out)
	var text, took string
	n, err := fmt.Sscanf(string(out), "web is created and on at %s %s after New", &text, &took)
	require.NoError(t, err, "%s", out)
	require.Equal(t, 2, n)
	address, err := netip.ParseAddr(text)
	require.NoError(t, err)
	require.True(t, netip.MustParsePrefix("10.0.0.0/24").Contains(address))
}
