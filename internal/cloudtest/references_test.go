package cloudtest_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// TestBlobsAreThereForWhoeverNeedsThemAndNobodyElse is a sample of what make prove does at length.
func TestBlobsAreThereForWhoeverNeedsThemAndNobodyElse(t *testing.T) {
	t.Parallel()
	const seeds, operations = 4, 240
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tally := cloudtest.Garden(t, seed, operations)
				require.Equal(t, operations, tally.Operations)
				require.Positive(t, tally.Compared)
				t.Logf("%+v", tally)
			})
		})
	}
}
