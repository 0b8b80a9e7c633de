package metadata_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// thing is an object that has metadata.
type thing struct{}

// process has the metadata of things, which it keeps itself.
type process struct {
	*metadata.Manager
	view   *view.View
	things *view.Table[thing]
	events *event.Recorder
}

func open(t *testing.T, s *memstore.Store) *process {
	t.Helper()
	v := view.New(s, slog.New(slog.DiscardHandler))
	p := &process{view: v, events: event.NewRecorder(s, "n1"), things: view.NewTable[thing](v, "thing")}
	p.Manager = metadata.New(v, p.events)
	for _, kind := range []string{metadata.Instance, metadata.Network} {
		p.Guard(kind, p.guard)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { v.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	require.NoError(t, v.Fresh(t.Context()))
	v.Open()
	return p
}

func (p *process) guard(tx *view.Txn, id string) error {
	row, ok := p.things.Get(id)
	if !ok {
		return fault.New("test", fault.NotFound, id, "thing not found")
	}
	tx.Check(p.things.At(row, id))
	return nil
}

// thingA is the thing that tests are about.
const thingA = "a"

// make makes, or changes, that thing.
func (p *process) make(t *testing.T) {
	t.Helper()
	tx := view.Txn{Name: "make thing", Ref: thingA}
	tx.Do(p.things.Put(thingA, thing{}))
	_, err := p.view.Commit(t.Context(), tx)
	require.NoError(t, err)
}

// end removes a thing with what was noted on it.
func (p *process) end(t *testing.T, id string) {
	t.Helper()
	tx := view.Txn{Name: "end thing", Ref: id}
	tx.Do(p.things.Delete(id), metadata.Gone(metadata.Instance, id))
	_, err := p.view.Commit(t.Context(), tx)
	require.NoError(t, err)
}

// keys are all keys of the store that begin with prefix.
func keys(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	page, err := s.List(t.Context(), prefix, "", 0)
	require.NoError(t, err)
	all := []string{}
	for _, e := range page.Entries {
		all = append(all, e.Key)
	}
	return all
}
