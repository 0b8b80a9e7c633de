//go:build linux

package cloudtest_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/internal/cloudtest"
	"github.com/shakenfist/shakenfist/internal/hostileimage"
)

func TestHostileImagesAreRefusedWhereverTheyComeFrom(t *testing.T) {
	t.Parallel()
	w := cloudtest.NewSimulatedWith(t, func(c *shakenfist.Config) { c.ImageLimits.Bytes = hostileimage.Unpacked })
	defer w.Close(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p := w.Boot(ctx, t, cloudtest.Point{})
	defer p.Stop()
	canary, opened := cloudtest.Canary(t, t.TempDir())
	n := cloudtest.RefusesHostileImages(ctx, t, p.Client, canary, false)
	require.GreaterOrEqual(t, n, 40)
	require.False(t, opened(), "the file that hostile images name was opened")
	left := slices.DeleteFunc(w.Leftovers(ctx, t), func(path string) bool { return strings.Contains(path, "/uploads/") })
	require.Empty(t, left, "uploads stay, for their owner to send what was meant")
	// The watch does see who opens it.
	_, err := os.ReadFile(canary)
	require.NoError(t, err)
	require.True(t, opened())
}
