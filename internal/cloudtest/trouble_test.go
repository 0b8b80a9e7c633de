package cloudtest_test

import (
	"testing"

	"github.com/shakenfist/shakenfist/internal/cloudtest"
)

func TestTroubleOnSimulations(t *testing.T) {
	t.Parallel()
	for _, b := range cloudtest.BadImages() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			w := cloudtest.NewSimulated(t)
			defer w.Close(t)
			p := w.Boot(t.Context(), t, cloudtest.Point{})
			defer p.Stop()
			b.Fails(t.Context(), t, p.Client, w)
		})
	}
	t.Run("no address left", func(t *testing.T) {
		t.Parallel()
		w := cloudtest.NewSimulated(t)
		defer w.Close(t)
		p := w.Boot(t.Context(), t, cloudtest.Point{})
		defer p.Stop()
		cloudtest.NoAddressLeft(t.Context(), t, p.Client, w)
	})
	t.Run("no capacity", func(t *testing.T) {
		t.Parallel()
		w := cloudtest.NewSimulated(t)
		defer w.Close(t)
		p := w.Boot(t.Context(), t, cloudtest.Point{})
		defer p.Stop()
		cloudtest.NoCapacity(t.Context(), t, p.Client)
	})
}
