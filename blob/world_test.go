package blob_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// idle returns a manager that stores content, whose view is current and whose loops don't run.
func idle(tb testing.TB, set ...func(*blob.Deps)) *blob.Manager {
	tb.Helper()
	state := memstore.New()
	tb.Cleanup(func() { _ = state.Close() })
	v := view.New(state, slog.New(slog.DiscardHandler))
	d := blob.Deps{
		View: v, Events: event.NewRecorder(state, "node-1"),
		Driver: simhv.New(simhv.Options{}), Dir: tb.TempDir(), Node: "node-1",
	}
	for _, f := range set {
		f(&d)
	}
	m := blob.New(d)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { v.Run(ctx) })
	tb.Cleanup(func() { cancel(); running.Wait() })
	return m
}
