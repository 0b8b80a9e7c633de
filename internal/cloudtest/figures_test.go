//go:build prove

package cloudtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// figure is what was measured of an operation.
type figure struct {
	p50, p99 time.Duration
	rate     float64 // a second
	count    int
}

func (f figure) String() string {
	return fmt.Sprintf("p50 %s, p99 %s, %.0f a second (%d)", short(f.p50), short(f.p99), f.rate, f.count)
}

// short is a duration with three digits.
func short(d time.Duration) time.Duration {
	for unit := 10 * time.Nanosecond; ; unit *= 10 {
		if d < 1000*unit/10 {
			return d.Round(unit / 10)
		}
	}
}

// measure has every caller repeat an operation for a while, each after a first time that does not count.
func measure(t *testing.T, while time.Duration, callers []*caller, do operation) figure {
	t.Helper()
	var all sync.WaitGroup
	took := make([][]time.Duration, len(callers))
	for _, c := range callers {
		require.NoError(t, do(t.Context(), c))
	}
	start := time.Now()
	for n, c := range callers {
		all.Go(func() {
			for time.Since(start) < while {
				began := time.Now()
				if err := do(t.Context(), c); err != nil {
					t.Errorf("%v", err)
					return
				}
				took[n] = append(took[n], time.Since(began))
			}
		})
	}
	all.Wait()
	elapsed := time.Since(start)
	times := slices.Concat(took...)
	require.NotEmpty(t, times)
	slices.Sort(times)
	return figure{
		p50: times[len(times)/2], p99: times[len(times)*99/100],
		rate: float64(len(times)) / elapsed.Seconds(), count: len(times),
	}
}

// background repeats an operation until stop is called, which returns how often it was done.
func background(t *testing.T, callers []*caller, do operation) (stop func() int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var done atomic.Int64
	for _, c := range callers {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := do(ctx, c); err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
					return
				}
				done.Add(1)
			}
		})
	}
	return func() int64 {
		cancel()
		all.Wait()
		return done.Load()
	}
}
