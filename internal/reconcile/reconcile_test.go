package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/reconcile"
	"github.com/shakenfist/shakenfist/store"
)

func TestOneObjectIsWorkedOnByOnePassAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var under [3]atomic.Int32
		b := run(t, &reconcile.Loop{}, func(_ context.Context, id string) (time.Duration, error) {
			n := &under[id[0]-'0']
			if n.Add(1) > 1 {
				t.Error("two passes over one object at once")
			}
			defer n.Add(-1)
			time.Sleep(time.Millisecond)
			return 0, nil
		})
		var wakers sync.WaitGroup
		for i := range 30 {
			wakers.Go(func() {
				for range 100 {
					b.Wake(fmt.Sprint(i % 3))
					time.Sleep(300 * time.Microsecond)
				}
			})
		}
		wakers.Wait()
		time.Sleep(time.Second)
		require.Greater(t, b.passes.Load(), int64(80))
		require.Empty(t, b.Busy())
	})
}

func TestWhatIsWokenWhileItRunsRunsAgainOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := run(t, &reconcile.Loop{}, func(context.Context, string) (time.Duration, error) {
			time.Sleep(time.Second)
			return 0, nil
		})
		b.Wake("a")
		time.Sleep(time.Second / 2)
		for range 10 {
			b.Wake("a")
		}
		require.Equal(t, []string{"a"}, b.Busy())
		time.Sleep(10 * time.Second)
		require.Equal(t, []time.Duration{0, time.Second}, b.at())
		require.Empty(t, b.Busy())
	})
}

func TestInterruptCutsOffThePassAndLooksAfresh(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]error{
		"the pass ends with the context's error": context.Canceled,
		"the pass ends with an error of its own": errors.New("cut off"),
		"the pass ends well":                     nil,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var interrupted int
				b := run(t, &reconcile.Loop{}, func(ctx context.Context, _ string) (time.Duration, error) {
					select {
					case <-ctx.Done():
						interrupted++
						return time.Hour, result
					case <-time.After(time.Minute):
						return 0, nil
					}
				})
				b.Wake("a")
				time.Sleep(time.Second)
				b.Interrupt("a")
				time.Sleep(time.Hour)
				require.Equal(t, []time.Duration{0, time.Second}, b.at(), "an interrupted pass waits for nothing")
				require.Equal(t, 1, interrupted)
				require.Empty(t, b.logged())
			})
		})
	}
}

func TestInterruptReachesWhatWaitsForAWorkerOrARetry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := run(t, &reconcile.Loop{Workers: 1}, func(ctx context.Context, id string) (time.Duration, error) {
			if id == "long" {
				time.Sleep(time.Minute)
			}
			return time.Hour, ctx.Err()
		})
		b.Wake("long")
		synctest.Wait()
		b.Wake("waits")
		b.Interrupt("waits")
		time.Sleep(2 * time.Minute)
		passes := b.passes.Load()
		b.Interrupt("waits") // its retry is an hour away
		synctest.Wait()
		require.Equal(t, passes+1, b.passes.Load())
	})
}

func TestEverythingIsLookedAtAtTheStartAndAtEveryResync(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sweeps []time.Duration
		start := time.Now()
		broken := errors.New("the host does not answer")
		b := run(t, &reconcile.Loop{
			All: func() []string { return []string{"a", "b"} },
			Sweep: func(context.Context) error {
				sweeps = append(sweeps, time.Since(start))
				return broken
			},
		}, done)
		time.Sleep(2 * time.Minute)
		s := time.Second
		require.Equal(t, []time.Duration{0, 0, 30 * s, 30 * s, 60 * s, 60 * s, 90 * s, 90 * s, 120 * s, 120 * s}, b.at())
		require.Equal(t, []time.Duration{0, 30 * s, 60 * s, 90 * s, 120 * s}, sweeps)
		require.Equal(t, 5, strings.Count(b.logged(), broken.Error()))
		b.WakeAll()
		synctest.Wait()
		require.Len(t, b.at(), 12)
	})
}

func TestRunReturnsWhenEveryPassHasEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var ended atomic.Int32
		b := run(t, &reconcile.Loop{Workers: 5}, func(ctx context.Context, id string) (time.Duration, error) {
			if id == "fails" {
				return 0, errors.New("no")
			}
			<-ctx.Done()
			time.Sleep(time.Minute)
			ended.Add(1)
			return 0, ctx.Err()
		})
		b.Wake("fails")
		synctest.Wait()
		for i := range 50 {
			b.Wake(fmt.Sprint(i))
		}
		synctest.Wait()
		stopped := time.Now()
		b.stop()
		<-b.ended
		require.Equal(t, time.Minute, time.Since(stopped))
		require.EqualValues(t, 5, ended.Load(), "those with a worker, and none of those who waited for one")
		passes := b.passes.Load()
		b.Wake("late")
		b.Interrupt("late")
		time.Sleep(time.Hour)
		require.Equal(t, passes, b.passes.Load(), "a pass after the end")
	})
}

func TestAWakeBeforeTheStartIsMadeGoodByIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := &reconcile.Loop{All: func() []string { return []string{"a"} }}
		l.Wake("a")
		l.Interrupt("b")
		require.Empty(t, l.Busy())
		b := run(t, l, done)
		require.Equal(t, []time.Duration{0}, b.at())
	})
}

func TestThousandsOfObjects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ids := make([]string, 10_000)
		for i := range ids {
			ids[i] = fmt.Sprint(i)
		}
		var busy, most atomic.Int32
		b := run(t, &reconcile.Loop{All: func() []string { return ids }}, func(context.Context, string) (time.Duration, error) {
			n := busy.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Millisecond)
			busy.Add(-1)
			return 0, nil
		})
		time.Sleep(time.Second) // 10,000 ms of work by 16 workers
		require.EqualValues(t, len(ids), b.passes.Load())
		require.EqualValues(t, 16, most.Load())
		require.Empty(t, b.Busy())
	})
}

// The race detector judges this one: everything at once, on real threads.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var passes atomic.Int64
	l := &reconcile.Loop{
		Name: "things", Log: slog.New(slog.DiscardHandler), Resync: time.Millisecond,
		All:   func() []string { return []string{"0", "1", "2"} },
		Sweep: func(context.Context) error { return nil },
		Reconcile: func(ctx context.Context, _ string) (time.Duration, error) {
			switch passes.Add(1) % 4 {
			case 0:
				return time.Microsecond, nil
			case 1:
				return 0, errors.New("no")
			case 2:
				return 0, store.Conflict([]store.Check{store.Absent("x")})
			}
			return 0, ctx.Err()
		},
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Run(ctx)
	}()
	var wakers sync.WaitGroup
	for i := range 8 {
		wakers.Go(func() {
			for j := range 500 {
				l.Wake(fmt.Sprint(j % 20))
				l.Interrupt(fmt.Sprint((i + j) % 20))
				require.LessOrEqual(t, len(l.Busy()), 20)
				runtime.Gosched()
			}
		})
	}
	wakers.Wait()
	cancel()
	<-ended
	require.Positive(t, passes.Load())
	after := passes.Load()
	l.Wake("0")
	require.Equal(t, after, passes.Load())
}
