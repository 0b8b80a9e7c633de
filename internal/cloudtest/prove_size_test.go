//go:build prove

package cloudtest_test

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// alone runs the test in a process of its own, so that what others left in memory does not count, and reports whether this is
// that process.
func alone(t *testing.T) bool {
	t.Helper()
	const marker = "SF_PROVE_ALONE"
	if os.Getenv(marker) == t.Name() {
		return true
	}
	self, err := os.Executable()
	require.NoError(t, err)
	run := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	run.Env = append(os.Environ(), marker+"="+t.Name())
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for line := range strings.Lines(string(out)) {
		if _, said, ok := strings.Cut(line, "proof: "); ok {
			t.Logf("proof: %s", strings.TrimSpace(said))
		}
	}
	return false
}

// heap is what is in use after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // pools keep what they have over one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// mostResident is the most memory that this process ever had, in bytes.
func mostResident(t *testing.T) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	require.NotNil(t, found)
	n, err := strconv.ParseUint(string(found[1]), 10, 64)
	require.NoError(t, err)
	return n * 1024
}

// TestProveTenThousandInstances makes 10,000 instances with a disk and an interface each, a hundred to a network, and waits
// until all of them run.
func TestProveTenThousandInstances(t *testing.T) {
	if !alone(t) {
		return
	}
	p := newPlant(t, memstore.New())
	began := time.Now()
	p.fill(t, namespace.System, 10_000)
	took := time.Since(began)
	require.Equal(t, 10_000, p.cloud.Instances.Count()[instance.Created])
	resident := mostResident(t)
	require.Less(t, mib(resident), 300.0)
	t.Logf("proof: 10,000 simulated instances with an interface each: made in %s (aim 5s), heap %.0f MiB, at most %.0f MiB resident (aim 300)",
		short(took), mib(heap()), mib(resident))
}

// TestProveNothingLeaks makes 10,000 instances and deletes them until their records are forgotten, and again, and compares what
// is left.
func TestProveNothingLeaks(t *testing.T) {
	if !alone(t) {
		return
	}
	p := newPlant(t, memstore.New(), func(c *shakenfist.Config) {
		c.Linger, c.Resync, c.Halo = time.Second, 2*time.Second, -1
	})
	const instances = 10_000
	p.round(t, instances)
	before, routines := heap(), runtime.NumGoroutine()
	p.round(t, instances)
	after := heap()
	// Goroutines come and go by a few at any moment; a leak would be one for each object.
	require.InDelta(t, routines, runtime.NumGoroutine(), 20)
	// What is known of the events in the segment that is being written grows until that is full. One record that stays is more.
	require.Less(t, after, before+512*instances)
	t.Logf("proof: 10,000 instances made, deleted and forgotten: heap %.1f MiB, once more: %.1f MiB, goroutines %d and %d",
		mib(before), mib(after), routines, runtime.NumGoroutine())
}

// round makes instances, deletes everything, and waits until nobody remembers.
func (p *plant) round(t *testing.T, instances int) {
	t.Helper()
	ctx := t.Context()
	p.fill(t, namespace.System, instances)
	var all sync.WaitGroup
	doomed := make(chan string)
	for range 64 {
		all.Go(func() {
			for id := range doomed {
				if _, err := p.cloud.Instances.Delete(ctx, id); err != nil {
					t.Errorf("%v", err)
				}
			}
		})
	}
	for _, i := range p.cloud.Instances.List(ctx, instance.Filter{}) {
		doomed <- i.ID
	}
	close(doomed)
	all.Wait()
	for _, n := range p.cloud.Networks.List(ctx, network.Filter{}) {
		_, err := p.cloud.Networks.Delete(ctx, n.ID)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		return len(p.cloud.Instances.List(ctx, instance.Filter{All: true})) == 0 && len(p.cloud.Networks.List(ctx, network.Filter{All: true})) == 0
	}, 5*time.Minute, 100*time.Millisecond)
}
