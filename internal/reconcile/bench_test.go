package reconcile_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shakenfist/shakenfist/internal/reconcile"
)

// bench is a loop under test; its fields are for the test's goroutine while the bubble is idle.
type bench struct {
	*reconcile.Loop
	log    bytes.Buffer
	passes atomic.Int64
	start  time.Time
	mu     sync.Mutex
	times  []time.Duration // guarded by mu; of each pass, since the start
	stop   context.CancelFunc
	ended  chan struct{}
}

// run starts a loop whose passes are f.
func run(t *testing.T, l *reconcile.Loop, f func(ctx context.Context, id string) (time.Duration, error)) *bench {
	t.Helper()
	b := &bench{Loop: l, ended: make(chan struct{}), start: time.Now()}
	l.Name, l.Log = "things", slog.New(slog.NewTextHandler(&b.log, nil))
	l.Reconcile = func(ctx context.Context, id string) (time.Duration, error) {
		b.passes.Add(1)
		b.mu.Lock()
		b.times = append(b.times, time.Since(b.start))
		b.mu.Unlock()
		return f(ctx, id)
	}
	if l.All == nil {
		l.All = func() []string { return nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	go func() {
		defer close(b.ended)
		l.Run(ctx)
	}()
	synctest.Wait()
	t.Cleanup(func() { cancel(); <-b.ended })
	return b
}

// at returns when the passes began, once nothing more happens at this moment.
func (b *bench) at() []time.Duration {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.times)
}

// logged returns the log, once nothing more happens at this moment.
func (b *bench) logged() string {
	synctest.Wait()
	return b.log.String()
}

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func done(context.Context, string) (time.Duration, error) { return 0, nil }
