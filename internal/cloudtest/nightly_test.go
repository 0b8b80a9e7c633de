package cloudtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// onStage runs a scenario on simulations, in this process and over HTTP.
func onStage(t *testing.T, play func(context.Context, testing.TB, cloudtest.Stage)) {
	t.Helper()
	t.Parallel()
	idle := func(c *shakenfist.Config) { c.CacheIdle, c.Resync = cloudtest.ShortIdle*time.Second, time.Second }
	for name, fresh := range map[string]func(testing.TB, func(*shakenfist.Config)) cloudtest.World{
		"in this process": cloudtest.NewSimulatedWith, "over HTTP": cloudtest.NewSimulatedServed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, ok := fresh(t, idle).(*cloudtest.Simulated)
			require.True(t, ok)
			defer w.Close(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			p := w.Boot(ctx, t, cloudtest.Point{})
			defer p.Stop()
			play(ctx, t, w.Stage(p))
		})
	}
}

func TestNightlyWithThinCopies(t *testing.T) {
	onStage(t, func(ctx context.Context, t testing.TB, s cloudtest.Stage) {
		t.Helper()
		s.Nightly(ctx, t, 2, true)
	})
}

func TestNightlyWithWholeCopies(t *testing.T) {
	onStage(t, func(ctx context.Context, t testing.TB, s cloudtest.Stage) {
		t.Helper()
		s.Nightly(ctx, t, 2, false)
	})
}

func TestCopiesOfAllDisksOfOneAndOfOneThatIsOff(t *testing.T) {
	onStage(t, func(ctx context.Context, t testing.TB, s cloudtest.Stage) {
		t.Helper()
		s.Copies(ctx, t)
	})
}

func TestFirmwareBeginsWithVariablesOfAnother(t *testing.T) {
	onStage(t, func(ctx context.Context, t testing.TB, s cloudtest.Stage) {
		t.Helper()
		s.Variables(ctx, t)
	})
}
