//go:build prove

package cloudtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// TestProveATenantsLifeCutOffEverywhere kills a simulated cloud at every step of a tenant's life, has every step of it fail,
// and prints how often.
func TestProveATenantsLifeCutOffEverywhere(t *testing.T) {
	const life = "a tenant's life (namespace, keys, trust, notes on 7 kinds of object, delete-all, deleted node, hard deletion)"
	k := cloudtest.CutOffEverywhere(t, cloudtest.Tenancy(), cloudtest.Killed, cloudtest.Every)
	require.Empty(t, k.Missed)
	require.GreaterOrEqual(t, k.Steps, fewestOfTenant)
	t.Logf("proof: simulations: N = %d kill points (before and after each of %d steps of %s), every request done or not done at all, as wanted when repeated, nothing left",
		k.Points, k.Steps, life)
	k = cloudtest.CutOffEverywhere(t, cloudtest.Tenancy(), cloudtest.Failed, cloudtest.Every)
	require.Empty(t, k.Missed)
	require.GreaterOrEqual(t, k.Steps, fewestOfTenant)
	t.Logf("proof: simulations: N = %d failures (unavailable before and after each of %d steps of the same life), answered 503 or overcome, every request done or not done at all, as wanted when repeated, nothing left",
		k.Points, k.Steps)
}
