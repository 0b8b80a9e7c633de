package cloudtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// fewestOfTenant is how many steps a tenant's life has at least. Fewer means that one is no longer announced.
const fewestOfTenant = 165

// All points are TestProveATenantsLifeCutOffEverywhere's; here the seed picks some.
func TestATenantsLifeIsCutOff(t *testing.T) {
	t.Parallel()
	for _, how := range []cloudtest.CutOff{cloudtest.Killed, cloudtest.Failed} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			k := cloudtest.CutOffEverywhere(t, cloudtest.Tenancy(), how, cloudtest.Sample(10, 1))
			t.Logf("%s at %d points of %d steps; not reached: %v", how, k.Points, k.Steps, k.Missed)
			require.GreaterOrEqual(t, k.Steps, fewestOfTenant)
			require.Empty(t, k.Missed)
		})
	}
}
