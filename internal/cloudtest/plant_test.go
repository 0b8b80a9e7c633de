package cloudtest_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/scheduler"
	"github.com/shakenfist/shakenfist/server"
	"github.com/shakenfist/shakenfist/simulation"
	"github.com/shakenfist/shakenfist/store"
)

// plant is a simulated cloud of any size, served on loopback.
type plant struct {
	cloud *shakenfist.Cloud
	url   string
}

// newPlant starts a cloud on a state store with room for as many instances as a test makes. Its keys cost what they do in
// production. Change may change its configuration.
func newPlant(t testing.TB, state store.Store, change ...func(*shakenfist.Config)) *plant {
	t.Helper()
	config := simulation.Config()
	memory, err := os.MkdirTemp("/dev/shm", "sf-") // where simulated disks belong
	require.NoError(t, err)
	config.State, config.Dir = state, memory
	config.Limits = scheduler.Limits{CPURatio: 1e4, MemoryRatio: 1, DiskRatio: 1e5} // the room is not what is measured
	for _, f := range change {
		f(&config)
	}
	cloud, err := shakenfist.New(config)
	require.NoError(t, err)
	stop := cloud.Start(t.Context())
	front := httptest.NewServer(server.New(cloud, server.Options{}))
	t.Cleanup(func() {
		front.Close()
		require.NoError(t, stop())
		require.NoError(t, os.RemoveAll(memory))
	})
	require.NoError(t, cloud.Ready(t.Context()))
	require.NoError(t, cloud.Namespaces.SetKey(t.Context(), namespace.System, "k", namespace.System, false))
	return &plant{cloud: cloud, url: front.URL}
}

// tenant makes a namespace, whose key has its name, with instances of a blank disk and an interface each, a hundred to a network.
func (p *plant) tenant(t testing.TB, name string, instances int) {
	t.Helper()
	_, err := p.cloud.Namespaces.Create(t.Context(), name, "k", name)
	require.NoError(t, err)
	p.fill(t, name, instances)
}

// fill makes instances, 64 at a time, and waits until all of them run.
func (p *plant) fill(t testing.TB, name string, instances int) {
	t.Helper()
	const perNetwork, atOnce = 100, 64
	for n := range (instances + perNetwork - 1) / perNetwork {
		_, err := p.cloud.Networks.CreateAndWait(t.Context(), network.Spec{
			Name: fmt.Sprint("net", n), Namespace: name, Netblock: "10.0.0.0/24", DHCP: true,
		})
		require.NoError(t, err)
	}
	var all sync.WaitGroup
	wanted := make(chan int)
	for range atOnce {
		all.Go(func() {
			for n := range wanted {
				_, err := p.cloud.Instances.CreateAndWait(t.Context(), instance.Spec{
					Name: fmt.Sprint("i", n), Namespace: name, CPUs: 1, MemoryMiB: 1, Disks: []instance.DiskSpec{{SizeGiB: 1}},
					Networks: []network.Request{{Network: fmt.Sprint("net", n/perNetwork)}},
				})
				if err != nil {
					t.Errorf("%v", err)
				}
			}
		})
	}
	for n := range instances {
		wanted <- n
	}
	close(wanted)
	all.Wait()
}

// callers returns as many callers with a token of the namespace.
func (p *plant) callers(t testing.TB, name string, count int) []*caller {
	t.Helper()
	first := as(t, p.url, name)
	all := []*caller{first}
	for range count - 1 {
		c := newCaller(p.url)
		c.token = first.token
		all = append(all, c)
	}
	return all
}

// first returns the UUID of an instance of the namespace.
func (p *plant) first(t testing.TB, name string) string {
	t.Helper()
	list := p.cloud.Instances.List(t.Context(), instance.Filter{Namespace: name})
	require.NotEmpty(t, list)
	return list[0].ID
}

// The namespaces with as many instances as their names say.
const hundred, thousand, tenThousand = "n100", "n1000", "n10000"
