package simulation_test

import (
	"context"
	"fmt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/simulation"
)

// The parts of a simulated cloud can be made to fail, and the cloud then does what it would do with real ones.
func Example() {
	ctx := context.Background()
	parts := simulation.New()
	cloud, err := shakenfist.New(parts.Config())
	if err != nil {
		panic(err)
	}
	stop := cloud.Start(ctx)
	parts.Hypervisor.FailNext("Start", fault.New("hypervisor.Start", fault.Invalid, "", "the firmware is missing"))

	vm, err := cloud.Instances.CreateAndWait(ctx, instance.Spec{
		Name: "web", Namespace: "system", CPUs: 1, MemoryMiB: 512, Disks: []instance.DiskSpec{{SizeGiB: 8}},
	})
	fmt.Println(vm.State, fault.Text(err))
	fmt.Println(stop())
	// Output:
	// error start domain: the firmware is missing
	// <nil>
}
