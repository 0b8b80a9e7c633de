package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/reconcile"
	"github.com/shakenfist/shakenfist/store"
)

// within fails unless got is a pause whose full length is want: jitter takes up to half.
func within(t *testing.T, want, got time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, got, want/2)
	require.LessOrEqual(t, got, want)
}

func TestPausesDoubleUpToTenSeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := run(t, &reconcile.Loop{}, func(context.Context, string) (time.Duration, error) {
			return 0, errors.New("the host has a cold")
		})
		b.Wake("a")
		time.Sleep(3 * time.Minute)
		require.Greater(t, len(b.at()), 20)
		at := b.at()
		for i := 1; i < len(at); i++ {
			within(t, min(100*time.Millisecond<<min(i-1, 20), 10*time.Second), at[i]-at[i-1])
		}
		require.Equal(t, 1, strings.Count(b.logged(), "the host has a cold"), "a failure is told once")
		require.Contains(t, b.logged(), "id=a")
	})
}

func TestAPauseIsNoLongerThanAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := run(t, &reconcile.Loop{}, func(context.Context, string) (time.Duration, error) {
			return 2 * time.Second, errors.New("no")
		})
		b.Wake("a")
		time.Sleep(time.Minute)
		at := b.at()
		for i := 1; i < len(at); i++ {
			require.LessOrEqual(t, at[i]-at[i-1], 2*time.Second)
		}
		require.GreaterOrEqual(t, len(at), 30)
	})
}

func TestAnotherFailureIsToldAndSoIsTheSameAfterASuccess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		answers := []error{errors.New("red"), errors.New("red"), errors.New("blue"), errors.New("red"), nil, errors.New("red"), nil}
		i := 0
		b := run(t, &reconcile.Loop{}, func(context.Context, string) (time.Duration, error) {
			defer func() { i++ }()
			return time.Second, answers[min(i, len(answers)-1)]
		})
		b.Wake("a")
		time.Sleep(time.Minute)
		require.Equal(t, 3, strings.Count(b.logged(), "error=red"))
		require.Equal(t, 1, strings.Count(b.logged(), "error=blue"))
	})
}

func TestSuccessBringsShortPausesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fails := map[int64]bool{1: true, 2: true, 3: true, 4: true, 6: true}
		var b *bench
		b = run(t, &reconcile.Loop{}, func(context.Context, string) (time.Duration, error) {
			if fails[b.passes.Load()] {
				return 0, errors.New("no")
			}
			return time.Minute, nil
		})
		b.Wake("a")
		time.Sleep(time.Minute + 30*time.Second)
		require.Equal(t, time.Minute, b.at()[5]-b.at()[4], "asked to be called again after a minute")
		within(t, 100*time.Millisecond, b.at()[6]-b.at()[5])
	})
}

func TestAWakeCutsAPauseShortAndKeepsCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := run(t, &reconcile.Loop{}, func(context.Context, string) (time.Duration, error) { return 0, errors.New("no") })
		b.Wake("a")
		time.Sleep(20 * time.Second)
		n := len(b.at())
		b.Wake("a")
		synctest.Wait()
		require.Len(t, b.at(), n+1)
		time.Sleep(4 * time.Second)
		require.Len(t, b.at(), n+1, "the pauses began anew")
	})
}

func TestALostRaceIsTriedAgainAtOnceAndSilently(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var b *bench
		b = run(t, &reconcile.Loop{}, func(context.Context, string) (time.Duration, error) {
			if b.passes.Load() <= 3 {
				return 0, fmt.Errorf("commit: %w", store.Conflict([]store.Check{store.Absent("o/x")}))
			}
			return 0, nil
		})
		b.Wake("a")
		time.Sleep(100 * time.Millisecond)
		require.Len(t, b.at(), 4)
		require.Empty(t, b.logged())
	})
}

func TestARaceThatIsAlwaysLostIsNoBusyLoopAndIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := run(t, &reconcile.Loop{}, func(context.Context, string) (time.Duration, error) {
			return 0, store.Conflict([]store.Check{store.At("o/node-alive/n1", 7)})
		})
		b.Wake("a")
		time.Sleep(10 * time.Minute)
		require.Less(t, len(b.at()), 140, "tried %d times in ten minutes", len(b.at()))
		require.Contains(t, b.logged(), "o/node-alive/n1")
	})
}
