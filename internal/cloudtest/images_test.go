package cloudtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// imageStory is a life of images.
type imageStory struct {
	cloudtest.Story
	about  string
	fewest int // steps that it has at least. Fewer means that one is no longer announced.
}

func imageStories() map[string]imageStory {
	return map[string]imageStory{
		"fetching": {cloudtest.Fetching(), "download, unpacking, transcode, refetch, expiry, verification, repair, delete", 80},
		"sending":  {cloudtest.Sending(), "uploads in pieces, artifacts, labels, versions, sharing, instances of them, delete", 80},
		"copying":  {cloudtest.Copying(), "snapshots whole, thin, of all, of a guest that is off, a chain whose middle goes, delete", 160},
	}
}

// All points are TestProveLivesOfImagesCutOffEverywhere's; here the seed picks some.
func TestLivesOfImagesAreCutOff(t *testing.T) {
	t.Parallel()
	for name, story := range imageStories() {
		for _, how := range []cloudtest.CutOff{cloudtest.Killed, cloudtest.Failed} {
			t.Run(name+" "+string(how), func(t *testing.T) {
				t.Parallel()
				k := cloudtest.CutOffEverywhere(t, story.Story, how, cloudtest.Sample(6, 1))
				t.Logf("%s at %d points of %d steps; not reached: %v", how, k.Points, k.Steps, k.Missed)
				require.GreaterOrEqual(t, k.Steps, story.fewest)
				require.Empty(t, k.Missed)
			})
		}
	}
}
