package instance_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/simulation"
	"github.com/shakenfist/shakenfist/store"
)

// revision is that of the last commit.
func revision(t *testing.T, s store.Store) store.Revision {
	t.Helper()
	page, err := s.List(t.Context(), "", "", 1)
	require.NoError(t, err)
	return page.Revision
}

func TestADryRunSaysWhatACreateWouldDoAndWritesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		parts := simulation.New()
		parts.Hypervisor = simhv.New(simhv.Options{CPUs: 4, MemoryMiB: 3072, DiskGiB: 100})
		w := begin(t, parts, t.TempDir(), func(c *shakenfist.Config) {
			c.Limits.CPURatio, c.Limits.MemoryRatio, c.Limits.DiskRatio, c.Limits.MinimumFreeDiskBytes = 1, 1, 10, 0
			c.Limits.MemoryReserveMiB = 1024
		})
		w.lan(t)
		s := spec(instance.DiskSpec{Base: imageURL}, instance.DiskSpec{SizeGiB: 9})
		s.CPUs, s.Networks = 3, []network.Request{{Network: "lan", Address: "10.0.0.7", MAC: "02:00:00:00:00:07"}}
		s.Metadata = map[string]any{"tags": []string{"web"}}
		synctest.Wait()
		before, all := revision(t, w.Store), dump(t, w.Store)
		d, err := w.Instances.DryRun(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, "n1", d.Node)
		require.Len(t, d.Verdicts, 1)
		require.Equal(t, "n1 has 4 of 4 vCPUs, 2048 of 2048 MiB of memory and 1000 of 1000 GiB of disk free",
			d.Verdicts[0].Node+" "+d.Verdicts[0].String())
		s.CPUs = 5
		d, err = w.Instances.DryRun(t.Context(), s)
		require.NoError(t, err)
		require.Empty(t, d.Node)
		require.Equal(t, "needs 5 vCPUs, 4 free of 4 (4 CPUs times 1) with 0 committed", d.Verdicts[0].String())
		s.CPUs, s.PlacedOn = 3, "n2"
		_, err = w.Instances.DryRun(t.Context(), s)
		require.ErrorContains(t, err, `no node is named "n2"`)
		synctest.Wait()
		require.Equal(t, before, revision(t, w.Store))
		require.Equal(t, all, dump(t, w.Store))
		require.Empty(t, w.Instances.List(t.Context(), instance.Filter{All: true}))
	})
}

func TestADryRunCountsWhatIsPromised(t *testing.T) {
	bubble(t, func(t *testing.T) {
		parts := simulation.New()
		parts.Hypervisor = simhv.New(simhv.Options{CPUs: 4})
		w := begin(t, parts, t.TempDir(), func(c *shakenfist.Config) {
			c.Limits.CPURatio, c.Limits.MemoryRatio, c.Limits.DiskRatio, c.Limits.MinimumFreeDiskBytes = 1, 1, 10, 0
		})
		s := spec()
		s.CPUs = 3
		d, err := w.Instances.DryRun(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, d.Node, w.made(t, s).Node)
		d, err = w.Instances.DryRun(t.Context(), s)
		require.NoError(t, err)
		require.Empty(t, d.Node)
		require.Equal(t, "needs 3 vCPUs, 1 free of 4 (4 CPUs times 1) with 3 committed", d.Verdicts[0].Reason)
	})
}
