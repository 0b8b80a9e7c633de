// Command embed boots an instance in a cloud made of simulations.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/simulation"
)

func main() {
	ctx, start := context.Background(), time.Now()
	cloud, e1 := shakenfist.New(simulation.Config())
	defer cloud.Start(ctx)()
	_, e2 := cloud.Networks.CreateAndWait(ctx, network.Spec{Name: "lan", Namespace: "system", Netblock: "10.0.0.0/24", DHCP: true})
	vm, e3 := cloud.Instances.CreateAndWait(ctx, instance.Spec{Name: "web", Namespace: "system", CPUs: 1, MemoryMiB: 512, Disks: []instance.DiskSpec{{SizeGiB: 8}}, Networks: []network.Request{{Network: "lan"}}})
	if e1 != nil || e2 != nil || e3 != nil {
		panic(fmt.Sprint(e1, e2, e3))
	}
	fmt.Println(vm.Name, "is", vm.State, "and", vm.Power, "at", cloud.Networks.InterfacesOf(ctx, vm.ID)[0].Address, time.Since(start), "after New")
}
