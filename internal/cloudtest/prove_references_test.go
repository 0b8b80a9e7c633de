//go:build prove

package cloudtest_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// TestProveReferences has 100,000 random operations happen, in worlds of their own, each with its own sequence.
func TestProveReferences(t *testing.T) {
	const worlds, operations = 100, 1000
	all := cloudtest.Tally{Done: map[string]int{}, Refused: map[string]int{}}
	var mu sync.Mutex
	t.Run("worlds", func(t *testing.T) {
		for seed := range uint64(worlds) {
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					tally := cloudtest.Garden(t, 1000+seed, operations)
					mu.Lock()
					defer mu.Unlock()
					all.Add(tally)
				})
			})
		}
	})
	require.Equal(t, worlds*operations, all.Operations)
	for _, name := range []string{
		"add content", "upload content", "cache a URL", "set a label", "delete a version", "delete an artifact",
		"create an instance", "delete an instance", "take a snapshot",
	} {
		require.Greater(t, all.Done[name], 1000, name)
	}
	require.Greater(t, all.Crashes, 1000)
	require.Greater(t, all.Longest, 3)
	t.Logf("proof: references: %d random operations, %d deaths of the process at random steps: at %d moments of rest the blobs on disk "+
		"were exactly those referred to, and %d contents were as they should be; the longest chain had %d blobs",
		all.Operations, all.Crashes, all.Settled, all.Compared, all.Longest)
	t.Logf("proof: references: done %v, refused as they should be %v", all.Done, all.Refused)
}
