package shakenfist_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/simulation"
)

// running starts a cloud in a bubble.
func running(t *testing.T, c shakenfist.Config) *shakenfist.Cloud {
	t.Helper()
	c.Dir = t.TempDir()
	cloud, err := shakenfist.New(c)
	require.NoError(t, err)
	stop := cloud.Start(context.Background())
	t.Cleanup(func() { require.NoError(t, stop()) })
	require.NoError(t, cloud.Ready(t.Context()))
	return cloud
}

func TestFiguresOfASimulatedNodeAreWhatItClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := simulation.New(), simulation.New()
		a, b := here.Config(), there.Config()
		a.Node, b.Node, b.State = "a", "b", a.State
		b.NotGateway = true
		cloud, other := running(t, a), running(t, b)
		synctest.Wait() // both have told what they have
		require.NoError(t, cloud.Fresh(t.Context()))
		i, err := cloud.Instances.CreateAndWait(t.Context(), instance.Spec{
			Name: "vm", Namespace: "system", CPUs: 3, MemoryMiB: 512, Disks: []instance.DiskSpec{{SizeGiB: 8}}, PlacedOn: "b",
		})
		require.NoError(t, err)

		require.NoError(t, other.Fresh(t.Context()))
		f, err := other.Figures(t.Context(), "b")
		require.NoError(t, err)
		for name, want := range map[string]float64{
			"cpu_max": 128, "cpu_available": 128, "cpu_max_per_instance": 64, "cpu_load_1": 0, "cpu_load_15": 0,
			"memory_max": 2 << 20, "memory_available": 2<<20 - 512, "memory_total_instance_actual": 512,
			"disk_total": 1 << 50, "disk_free": 1 << 50, "disk_used": 0, "disk_free_blobs": 1 << 50, "disk_free_sfroot": 1 << 50,
			"cpu_total_instance_vcpus": 3, "instances_total": 1, "instances_active": 1, "is_hypervisor": 1, "is_network_node": 0,
			"network_read_bytes": 0, "node_queue_waiting": 0, "nonsense": 0,
		} {
			require.InDelta(t, want, f.Number(name), 0, name)
		}

		f, err = cloud.Figures(t.Context(), "b")
		require.NoError(t, err)
		require.InDelta(t, 0, f.Number("instances_total"), 0, "b told what it had when it began")
		time.Sleep(5*time.Minute + time.Second)
		f, err = cloud.Figures(t.Context(), "b")
		require.NoError(t, err)
		require.InDelta(t, 1, f.Number("instances_total"), 0)
		require.InDelta(t, 1, f.Number("is_hypervisor"), 0)

		err = cloud.Instances.PowerOff(t.Context(), i.ID)
		require.NoError(t, err)
		require.NoError(t, other.Fresh(t.Context()))
		f, err = other.Figures(t.Context(), "b")
		require.NoError(t, err)
		require.InDelta(t, 0, f.Number("instances_active"), 0)
		require.InDelta(t, 1, f.Number("instances_total"), 0)

		_, err = cloud.Figures(t.Context(), "c")
		require.ErrorIs(t, err, fault.NotFound)
		_, err = cloud.Processes(t.Context(), "c")
		require.ErrorIs(t, err, fault.NotFound)
		for _, name := range []string{"a", "b"} {
			p, err := cloud.Processes(t.Context(), name)
			require.NoError(t, err)
			require.Empty(t, p)
		}
	})
}

// host writes the files by which a machine tells how busy it is, with this process on it and one of its guests.
func host(t *testing.T, guest string) string {
	t.Helper()
	root := t.TempDir()
	stat := func(pid, parent int, name string, ticks int) string {
		return fmt.Sprintf("%d (%s) S %d 1 1 0 -1 4194560 1 1 1 1 %d 0 0 0 20 0 1 0 0 1 1 1 1 1 1 1 1 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n",
			pid, name, parent, ticks)
	}
	self := os.Getpid()
	for name, content := range map[string]string{
		"loadavg": "1.50 0.75 0.25 1/94 24764\n", "meminfo": "MemTotal: 2048 kB\nMemAvailable: 8192000 kB\n",
		"diskstats": "", "net/dev": "Inter-|\n face |\n eth0: 300 1 0 0 0 0 0 0 40 1 0 0 0 0 0 0\n",
		"stat":                            fmt.Sprintf("btime %d\n", time.Now().Add(-100*time.Second).Unix()),
		fmt.Sprintf("%d/stat", self):      stat(self, 1, "sf-daemon", 1000),
		fmt.Sprintf("%d/cmdline", self):   "sf-daemon\x00",
		fmt.Sprintf("%d/stat", self+1):    stat(self+1, 1, "qemu-system-x86", 5000),
		fmt.Sprintf("%d/cmdline", self+1): "qemu-system-x86_64\x00-name\x00guest=sf:" + guest + ",debug-threads=on\x00",
		fmt.Sprintf("%d/stat", self+2):    stat(self+2, 1, "qemu-system-x86", 5000),
		fmt.Sprintf("%d/cmdline", self+2): "qemu-system-x86_64\x00-name\x00guest=sf:of-another-cloud\x00",
	} {
		path := filepath.Join(root, "proc", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return root
}

func TestFiguresOfARealHostAreRead(t *testing.T) {
	t.Parallel()
	c := simulation.Config()
	c.Node, c.HostRoot = "a", host(t, "unknown")
	cloud := running(t, c)
	f, err := cloud.Figures(t.Context(), "a")
	require.NoError(t, err)
	require.InDelta(t, 1.5, f.Number("cpu_load_1"), 0)
	require.InDelta(t, 8000, f.Number("memory_available"), 0)
	require.InDelta(t, 300, f.Number("network_read_bytes"), 0)
	require.Positive(t, f.Number("disk_free_instances"))
	require.Less(t, f.Number("disk_free"), float64(1<<50), "the disk is a real one")

	i, err := cloud.Instances.CreateAndWait(t.Context(), instance.Spec{
		Name: "vm", Namespace: "system", CPUs: 1, MemoryMiB: 64, Disks: []instance.DiskSpec{{SizeGiB: 1}},
	})
	require.NoError(t, err)
	p, err := cloud.Processes(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, p, 3)
	require.InDelta(t, 10, p.Number("process_cpu_time_sf-daemon"), 0)
	require.InDelta(t, 100, p.Number("process_age_sf-daemon"), 30)
	require.InDelta(t, 0.1, p.Number("process_cpu_fraction_sf-daemon"), 0.05)

	c.HostRoot = host(t, i.ID)
	c.Node, c.Report = "b", time.Hour
	again := running(t, c)
	require.Eventually(t, func() bool {
		p, err := again.Processes(t.Context(), "a") // of another node, as it told
		return err == nil && p.Number("process_cpu_time_sf-daemon") == 10
	}, 10*time.Second, 10*time.Millisecond)
	p, err = again.Processes(t.Context(), "b")
	require.NoError(t, err)
	require.InDelta(t, 50, p.Number("process_cpu_time_qemu-"+i.ID), 0)
	require.NotContains(t, p, "process_cpu_time_qemu-system-x86")

	e, found, err := again.Events.Newest(t.Context(), event.Object{Kind: "node", ID: "a"}, event.Resources)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "resources", e.Message)
}

func TestAHostThatIsNotThereIsRefused(t *testing.T) {
	t.Parallel()
	c := simulation.Config()
	c.HostRoot = filepath.Join(t.TempDir(), "nowhere")
	_, err := shakenfist.New(c)
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "Config.HostRoot")
}

func TestAStoreThatIsAwayIsToldSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parts := simulation.New()
		c := parts.Config()
		c.Node = "a"
		cloud := running(t, c)
		time.Sleep(5*time.Minute - time.Second)
		before, _, err := cloud.Events.Newest(t.Context(), event.Object{Kind: "node", ID: "a"}, event.Resources)
		require.NoError(t, err)
		parts.Store.FailNext("Commit", fault.New("test", fault.Unavailable, "", "away"))
		time.Sleep(time.Minute)
		after, _, err := cloud.Events.Newest(t.Context(), event.Object{Kind: "node", ID: "a"}, event.Resources)
		require.NoError(t, err)
		require.Equal(t, 5*time.Minute+10*time.Second, after.At.Sub(before.At))
	})
}
