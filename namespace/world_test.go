package namespace

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// cheap is bcrypt's smallest cost.
const cheap = 4

// open returns a manager of a process of its own. With a nil secret the store keeps one.
func open(t *testing.T, s store.Store, secret []byte, cost int) *Manager {
	t.Helper()
	v := view.New(s, slog.New(slog.DiscardHandler))
	m := New(v, event.NewRecorder(s, "n1"), secret, cost)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { v.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	require.NoError(t, v.Fresh(t.Context()))
	return m
}

func fresh(t *testing.T, m *Manager) *Manager {
	t.Helper()
	require.NoError(t, m.view.Fresh(t.Context()))
	return m
}

func one(t *testing.T) *Manager {
	t.Helper()
	return open(t, memstore.New(), nil, cheap)
}

func create(t *testing.T, m *Manager, name string) {
	t.Helper()
	_, err := m.Create(t.Context(), name, "", "")
	require.NoError(t, err)
}

func events(t *testing.T, m *Manager, name string) []string {
	t.Helper()
	all, err := m.events.List(t.Context(), about(name), "", -1)
	require.NoError(t, err)
	texts := []string{}
	for _, e := range all {
		texts = append(texts, e.Message)
	}
	return texts
}
