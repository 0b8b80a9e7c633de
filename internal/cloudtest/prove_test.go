//go:build prove

package cloudtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/scheduler"
	"github.com/shakenfist/shakenfist/server"
	"github.com/shakenfist/shakenfist/simulation"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
)

// TestProveEmbeddingExample runs the README's program as its readers would.
func TestProveEmbeddingExample(t *testing.T) {
	program := filepath.Join(t.TempDir(), "embed")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../examples/embed")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	source, err := os.ReadFile("../../examples/embed/main.go")
	require.NoError(t, err)
	lines := strings.Count(string(source), "\n")
	require.LessOrEqual(t, lines, 25)
	took := regexp.MustCompile(`web is created and on at 10\.0\.0\.\d+ (\S+) after New`)
	var all []time.Duration
	for range 21 {
		out, err := exec.CommandContext(t.Context(), program).CombinedOutput()
		require.NoError(t, err, "%s", out)
		said := took.FindSubmatch(out)
		require.NotNil(t, said, "%s", out)
		d, err := time.ParseDuration(string(said[1]))
		require.NoError(t, err)
		all = append(all, d)
	}
	t.Logf("proof: examples/embed without cgo: %d lines, instance created %s after New (median of %d; aim 10ms)", lines, median(all), len(all))
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2].Round(10 * time.Microsecond)
}

// TestProveKilledAtEveryStep kills a simulated cloud everywhere, and prints how often.
func TestProveKilledAtEveryStep(t *testing.T) {
	k := cloudtest.KillEverywhere(t, cloudtest.NewSimulated, 30*time.Second, cloudtest.Every)
	require.Empty(t, k.Missed)
	t.Logf("proof: simulations: N = %d kill points (before and after each of %d steps of create and delete), all as wanted after a restart, nothing left; longest recovery %s",
		k.Points, k.Steps, k.Longest.Round(time.Millisecond))
}

// TestProveDurableCreates measures creates through HTTP with a simulated hypervisor and an embedded etcd that syncs its disk,
// beside bare commits of the same etcd.
func TestProveDurableCreates(t *testing.T) {
	state, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: filepath.Join(t.TempDir(), "etcd")})
	require.NoError(t, err)
	defer state.Close() //nolint:errcheck // the test is over
	config := simulation.Config()
	memory, err := os.MkdirTemp("/dev/shm", "sf-") // where simulated disks belong; the state is on the real disk
	require.NoError(t, err)
	defer os.RemoveAll(memory) //nolint:errcheck // the test is over
	config.State, config.Dir, config.HashCost = state, memory, 4
	config.Limits = scheduler.Limits{CPURatio: 1e4, MemoryRatio: 1, DiskRatio: 1e5} // the room is not what is measured
	cloud, err := shakenfist.New(config)
	require.NoError(t, err)
	stop := cloud.Start(t.Context())
	defer func() { require.NoError(t, stop()) }()
	require.NoError(t, cloud.Ready(t.Context()))
	require.NoError(t, cloud.Namespaces.SetKey(t.Context(), namespace.System, "k", "secret", false))
	api := httptest.NewServer(server.New(cloud, server.Options{}))
	defer api.Close()
	for _, clients := range []int{1, 8} {
		floor := bareCommits(t, state, clients)
		rate := creates(t, api.URL, clients)
		t.Logf("proof: durable creates through HTTP, simulated hypervisor, embedded etcd with fsync, %d clients: %.0f a second (aim 300); bare commits of the same etcd: %.0f a second",
			clients, rate, floor)
	}
}

const span = 5 * time.Second

// bareCommits commits one key at a time, checked to be absent, from several goroutines.
func bareCommits(t *testing.T, s store.Store, clients int) float64 {
	t.Helper()
	value := []byte(strings.Repeat("x", 512))
	return perSecond(t, clients, func(ctx context.Context, who, i int) error {
		key := fmt.Sprintf("bench/%d/%d/%d", clients, who, i)
		_, err := s.Commit(ctx, []store.Check{store.Absent(key)}, []store.Op{store.Put(key, value)})
		return err
	})
}

func creates(t *testing.T, url string, clients int) float64 {
	t.Helper()
	var c []*client.Client
	for range clients {
		one, err := client.New(client.Options{BaseURL: url, Namespace: namespace.System, Key: "secret", HTTPClient: &http.Client{Transport: &http.Transport{}}})
		require.NoError(t, err)
		_, err = one.ListNodes(t.Context()) // logs in
		require.NoError(t, err)
		c = append(c, one)
	}
	defer func() { require.NoError(t, cloudtest.Down(t.Context(), c[0])) }()
	return perSecond(t, clients, func(ctx context.Context, who, i int) error {
		r := cloudtest.Tiny(fmt.Sprintf("i%d-%d", who, i), "", "")
		r.Memory = 1
		_, err := c[who].CreateInstance(ctx, r)
		return err
	})
}

func perSecond(t *testing.T, clients int, do func(ctx context.Context, who, i int) error) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var done atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for who := range clients {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := do(t.Context(), who, i); err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%v", err)
					}
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return float64(done.Load()) / time.Since(start).Seconds()
}
