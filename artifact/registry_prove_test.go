//go:build prove

package artifact_test

import "testing"

// TestProveHostileLayers hands the cloud everything that a container registry could try, but for disks that are hostile
// themselves.
func TestProveHostileLayers(t *testing.T) {
	var n int
	t.Run("tricks", func(t *testing.T) { n = refusedTricks(t) })
	if t.Failed() {
		return
	}
	t.Logf("proof: hostile images in container registries (links, devices, .., whiteouts, bombs, lists of lists, absurd sizes, false manifests): %d of %d refused, each with its reason and with no file left", n, n)
}
