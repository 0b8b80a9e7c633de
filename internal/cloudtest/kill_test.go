package cloudtest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// fewest is how many steps a life has at least. Fewer means that one is no longer announced.
const fewest = 20

func TestKilledAtEveryStepOnSimulations(t *testing.T) {
	k := cloudtest.KillEverywhere(t, cloudtest.NewSimulated, 30*time.Second, cloudtest.Every)
	t.Logf("killed at %d points, before and after each of %d steps; longest recovery %s; not reached: %v", k.Points, k.Steps, k.Longest, k.Missed)
	require.GreaterOrEqual(t, k.Steps, fewest)
	require.Empty(t, k.Missed)
}
