//go:build prove

package cloudtest_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/simulation"
	"github.com/shakenfist/shakenfist/store/etcdstore"
)

// held is what events take.
type held struct {
	heap  uint64 // bytes in use after a collection
	rows  int    // in the store
	state int64  // bytes of the store's file, 0 if it has none
	disk  int64  // bytes of the files of events
}

// TestProveAMillionEvents records events as managers do, one commit each, and measures what stays of them.
func TestProveAMillionEvents(t *testing.T) {
	t.Run("in memory", func(t *testing.T) {
		parts := simulation.New()
		proveEvents(t, parts.Config(), func() int64 {
			page, err := parts.Store.List(t.Context(), "", "", 1)
			require.NoError(t, err)
			require.NoError(t, parts.Store.Compact(t.Context(), page.Revision)) // what history takes is not what is held
			return 0
		}, 100, 8)
	})
	t.Run("embedded etcd", func(t *testing.T) {
		dir := t.TempDir()
		state, err := etcdstore.Embedded(t.Context(), etcdstore.Options{Dir: dir})
		require.NoError(t, err)
		defer state.Close() //nolint:errcheck // the test is over
		config := simulation.Config()
		config.State = state
		proveEvents(t, config, func() int64 {
			var size int64
			require.Eventually(t, func() bool { // a compaction that had begun by itself may still be removing history
				require.NoError(t, state.Reclaim(t.Context())) // the same
				size = sizeOf(t, filepath.Join(dir, "etcd", "member", "snap"))
				return size < 1<<20
			}, 30*time.Second, 500*time.Millisecond)
			return size
		}, 20, 64)
	})
}

// proveEvents records so many events of each of 10,000 objects, and a tenth of all once more of a single one.
func proveEvents(t *testing.T, config shakenfist.Config, state func() int64, each, writers int) {
	t.Helper()
	const objects = 10_000
	config.Dir, config.EventDelay = t.TempDir(), time.Second
	cloud, err := shakenfist.New(config)
	require.NoError(t, err)
	stop := cloud.Start(t.Context())
	defer func() { require.NoError(t, stop()) }()
	require.NoError(t, cloud.Ready(t.Context()))
	busy, total := event.Object{Kind: "instance", ID: "busy"}, objects*each*11/10
	about := func(i int) event.Object {
		if i >= objects*each {
			return busy
		}
		return event.Object{Kind: "instance", ID: fmt.Sprintf("0b4c7e52-5d3e-4a8f-9a06-%012d", i%objects)}
	}
	record(t, cloud, writers, 2000, func(int) event.Object { return event.Object{Kind: "node", ID: "first"} })
	before := hold(t, config, state)
	start := time.Now()
	peak := record(t, cloud, writers, total, about)
	recorded := time.Since(start)
	after := hold(t, config, state)
	moved := time.Since(start)
	quiet := about(4711)
	t.Logf("proof: %s: %d events of %d objects recorded in %s, one commit each, in files %s after the first; at most %d rows in the store meanwhile",
		cause(t), total, objects+1, recorded.Round(time.Second), moved.Round(time.Second), peak)
	t.Logf("proof: %s: heap %.1f MiB before, %.1f MiB after; rows in the store %d before, %d after; the file of etcd %.2f MiB before, %.2f MiB after; files of events %.0f MiB",
		cause(t), mib(before.heap), mib(after.heap), before.rows, after.rows, mib(before.state), mib(after.state), mib(after.disk))
	t.Logf("proof: %s: the newest 100 of an object with %d events listed in %s, all %d of one among 10,000 in %s (median of 21)",
		cause(t), total-objects*each, listing(t, cloud, busy, 100, 100), each, listing(t, cloud, quiet, 100, each))
	require.Zero(t, after.rows)
	require.Less(t, after.heap, before.heap+(16<<20))
	require.Less(t, after.state, before.state+(1<<20))
}

func cause(t *testing.T) string {
	t.Helper()
	return strings.ReplaceAll(filepath.Base(t.Name()), "_", " ")
}

func mib[N int64 | uint64](n N) float64 { return float64(n) / (1 << 20) }

// record records n events and returns the largest number of rows that the store was seen to have.
func record(t *testing.T, cloud *shakenfist.Cloud, writers, n int, about func(int) event.Object) int {
	t.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				typ := []event.Type{event.Audit, event.Mutate, event.Status}[i%3]
				err := cloud.Events.Record(t.Context(), about(i), typ, "state changed", map[string]any{"number": i, "from": "preparing", "to": "created"})
				if err != nil {
					t.Errorf("recording event %d: %v", i, err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); all.Wait() }()
	for peak := 0; ; {
		peak = max(peak, rows(t, cloud))
		select {
		case <-done:
			return peak
		case <-time.After(time.Second):
		}
	}
}

// rows counts the rows of events.
func rows(t *testing.T, cloud *shakenfist.Cloud) (n int) {
	t.Helper()
	for after := ""; ; {
		page, err := cloud.Events.Store().List(t.Context(), "e/", after, 0)
		require.NoError(t, err)
		if n += len(page.Entries); !page.More {
			return n
		}
		after = page.Entries[len(page.Entries)-1].Key
	}
}

// hold waits until all events are in files, and measures.
func hold(t *testing.T, config shakenfist.Config, state func() int64) (h held) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for h.rows = 1; h.rows > 0 && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		page, err := config.State.List(ctx, "e/", "", 1)
		require.NoError(t, err)
		h.rows = len(page.Entries)
	}
	h.state = state()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.heap, h.disk = m.HeapAlloc, sizeOf(t, filepath.Join(config.Dir, "events"))
	return h
}

func sizeOf(t *testing.T, dir string) (sum int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if info, e := os.Stat(path); e == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return err
	}))
	return sum
}

func listing(t *testing.T, cloud *shakenfist.Cloud, about event.Object, limit, want int) time.Duration {
	t.Helper()
	var all []time.Duration
	for range 21 {
		start := time.Now()
		events, err := cloud.Events.List(t.Context(), about, "", limit)
		all = append(all, time.Since(start))
		require.NoError(t, err)
		require.Len(t, events, want)
	}
	return median(all)
}
