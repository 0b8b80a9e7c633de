package realimages_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

// onStage plays on a real daemon that soon forgets bootable images which nobody uses.
func onStage(t *testing.T, patience time.Duration, play func(context.Context, cloudtest.Stage)) {
	t.Helper()
	w := cloudtest.Here(t)
	defer w.Close(t)
	ctx := cloudtest.Bounded(t, patience)
	w.Env = []string{"SHAKENFIST_BLOB_TRANSCODE_MAXIMUM_IDLE_TIME=" + strconv.Itoa(cloudtest.ShortIdle)}
	p := w.Start(ctx, t, cloudtest.Point{})
	defer p.SayWhenFailed(t)
	play(ctx, w.Stage(p.Process))
	p.Stop()
	require.NoError(t, os.RemoveAll(w.State()))
}

// TestNightly is one night and one more, with a label that keeps one of them. TestProveNightly has more.
func TestNightly(t *testing.T) {
	onStage(t, 8*time.Minute, func(ctx context.Context, s cloudtest.Stage) { s.Nightly(ctx, t, 1, true) })
}

// TestVariables copies what real firmware wrote.
func TestVariables(t *testing.T) {
	onStage(t, 8*time.Minute, func(ctx context.Context, s cloudtest.Stage) { s.Variables(ctx, t) })
}
