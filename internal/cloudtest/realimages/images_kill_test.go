package realimages_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// fewestOfImages is how many steps a life of images has at least.
const fewestOfImages = 110

// TestKilledOverImagesAtSomeSteps kills a real daemon at a sample of the steps of a life of images and snapshots.
// TestProveKilledOverImages takes all that are their own.
func TestKilledOverImagesAtSomeSteps(t *testing.T) {
	cloudtest.Here(t).Close(t) // skips where there is no host
	fresh := func(t testing.TB) cloudtest.World { t.Helper(); return cloudtest.Here(t) }
	k := cloudtest.KillInCourse(t, fresh, cloudtest.ImageCourse, 3*time.Minute, cloudtest.OfImages(cloudtest.Sample(4, 1)))
	t.Logf("killed at %d of %d points (%d steps); longest recovery %s; not reached: %v", k.Points, 2*k.Steps, k.Steps, k.Longest, k.Missed)
	require.GreaterOrEqual(t, k.Steps, fewestOfImages)
	require.Empty(t, k.Missed)
}
