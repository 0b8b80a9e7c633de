//go:build prove

package cloudtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// TestProveLivesOfImagesCutOffEverywhere kills a simulated cloud at every step of the lives of images, uploads, labels and
// snapshots, has every step of them fail, and prints how often.
func TestProveLivesOfImagesCutOffEverywhere(t *testing.T) {
	kills := map[cloudtest.CutOff]map[string]*cloudtest.Kills{cloudtest.Killed: {}, cloudtest.Failed: {}}
	t.Run("lives", func(t *testing.T) {
		for name, story := range imageStories() {
			for how, all := range kills {
				k := &cloudtest.Kills{}
				all[name] = k
				t.Run(name+" "+string(how), func(t *testing.T) {
					t.Parallel()
					*k = cloudtest.CutOffEverywhere(t, story.Story, how, cloudtest.Every)
					require.GreaterOrEqual(t, k.Steps, story.fewest)
					require.Empty(t, k.Missed)
				})
			}
		}
	})
	for name, story := range imageStories() {
		t.Logf("proof: simulations: %s: N = %d kill points and %d failures (before and after each of %d steps), every request done or not done at all, as wanted when repeated, no file and no key left",
			story.about, kills[cloudtest.Killed][name].Points, kills[cloudtest.Failed][name].Points, kills[cloudtest.Killed][name].Steps)
	}
}
