package blob_test

import (
	"log/slog"
	"testing"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// idle returns a manager that stores content and whose loops don't run.
func idle(tb testing.TB, set ...func(*blob.Deps)) *blob.Manager {
	tb.Helper()
	state := memstore.New()
	tb.Cleanup(func() { _ = state.Close() })
	d := blob.Deps{
		View: view.New(state, slog.New(slog.DiscardHandler)), Events: event.NewRecorder(state, "node-1"),
		Driver: simhv.New(simhv.Options{}), Dir: tb.TempDir(), Node: "node-1",
	}
	for _, f := range set {
		f(&d)
	}
	return blob.New(d)
}
