package instance_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/simulation"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// Two processes, 64 creators, room for ten: ten get it, and the others hear the numbers.
func TestTheLastTenPlacesAreGivenOutOnce(t *testing.T) {
	t.Parallel()
	t.Run("a store in memory", func(t *testing.T) {
		t.Parallel()
		lastTenPlaces(t, memstore.New())
	})
	t.Run("an etcd", func(t *testing.T) {
		t.Parallel()
		s, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: t.TempDir()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		lastTenPlaces(t, s)
	})
}

func lastTenPlaces(t *testing.T, s store.Store) {
	t.Helper()
	const cpus, places, creators = 24, 10, 64
	clouds := [2]*world{}
	for i, role := range []func(*shakenfist.Config){
		func(c *shakenfist.Config) { c.Node = "n1" },
		func(c *shakenfist.Config) { c.Node, c.NotHypervisor, c.NotGateway = "n2", true, true },
	} {
		wires := simnet.New()
		clouds[i] = begin(t, simulation.Parts{Network: wires, Hypervisor: simhv.New(simhv.Options{CPUs: cpus, Switch: wires})}, t.TempDir(), role,
			func(c *shakenfist.Config) {
				c.State, c.Limits.CPURatio, c.Limits.MemoryRatio, c.Limits.DiskRatio = s, 1, 3, 10
			})
	}
	ids := make([]string, cpus-places, cpus)
	for i := range ids {
		ids[i] = clouds[0].made(t, spec()).ID
	}
	require.NoError(t, clouds[1].Fresh(t.Context()))

	var mu sync.Mutex
	var lost []error
	var racers sync.WaitGroup
	start := make(chan struct{})
	for i := range creators {
		racers.Go(func() {
			<-start
			got, err := clouds[i%2].Instances.Create(t.Context(), spec())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				lost = append(lost, err)
				return
			}
			ids = append(ids, got.ID)
		})
	}
	close(start)
	racers.Wait()
	require.Len(t, ids, cpus)
	require.Len(t, lost, creators-places)
	for _, err := range lost {
		require.True(t, errors.Is(err, fault.Exhausted), err)
		require.Contains(t, fault.Text(err), "no node can take 1 vCPU, 64 MiB of memory and 1 GiB of disk: n1 ")
		require.Contains(t, fault.Text(err), "0 free of 24")
	}
	require.Equal(t, "24 vcpus 1536 MiB 24 GiB 24 instances", capacity(t, s, "n1"))
	require.Equal(t, "0 vcpus 0 MiB 0 GiB 0 instances", capacity(t, s, "n2"))
	for _, id := range ids {
		require.NoError(t, clouds[0].Fresh(t.Context()))
		clouds[0].wait(t, id, instance.Created)
	}
	require.Len(t, clouds[0].domains(t), cpus)

	for i, id := range ids {
		racers.Go(func() {
			_, err := clouds[i%2].Instances.Delete(t.Context(), id)
			require.NoError(t, err)
		})
	}
	racers.Wait()
	for _, id := range ids {
		clouds[1].wait(t, id, instance.Deleted)
	}
	require.Equal(t, "0 vcpus 0 MiB 0 GiB 0 instances", capacity(t, s, "n1"))
	require.Empty(t, claims(t, s))
}
