package real_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// fewest is how many steps a life has at least. Fewer means that one is no longer announced.
const fewest = 25

// TestKilledAtSomeSteps kills a real daemon at a sample of the steps. TestProveKilledAtEveryStep takes all.
func TestKilledAtSomeSteps(t *testing.T) {
	cloudtest.Here(t).Close(t) // skips where there is no host
	fresh := func(t testing.TB) cloudtest.World { t.Helper(); return cloudtest.Here(t) }
	k := cloudtest.KillEverywhere(t, fresh, 2*time.Minute, cloudtest.Sample(8, 1))
	t.Logf("killed at %d of %d points (%d steps); longest recovery %s; not reached: %v", k.Points, 2*k.Steps, k.Steps, k.Longest, k.Missed)
	require.GreaterOrEqual(t, k.Steps, fewest)
	require.Empty(t, k.Missed)
}
