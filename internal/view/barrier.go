package view

import (
	"context"
	"sync"

	"github.com/shakenfist/shakenfist/store"
)

// barrier lets concurrent readers share one read of the head. A read that was under way when a reader arrived is too
// old for it: it takes part in the next one.
type barrier struct {
	mu      sync.Mutex
	running *flight // guarded by mu; being read now
	next    *flight // guarded by mu; starts when running ends
}

type flight struct {
	done     chan struct{}
	revision store.Revision // set before done is closed
	err      error          // set before done is closed
}

func (b *barrier) do(ctx context.Context, read func(context.Context) (store.Revision, error)) (store.Revision, error) {
	f := b.join(context.WithoutCancel(ctx), read)
	select {
	case <-f.done:
		return f.revision, f.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (b *barrier) join(ctx context.Context, read func(context.Context) (store.Revision, error)) *flight {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running == nil {
		b.running = &flight{done: make(chan struct{})}
		go b.fly(ctx, b.running, read)
		return b.running
	}
	if b.next == nil {
		b.next = &flight{done: make(chan struct{})}
	}
	return b.next
}

// fly reads for f, and then for those who came meanwhile. It outlives no reader's patience: each read is bounded.
func (b *barrier) fly(ctx context.Context, f *flight, read func(context.Context) (store.Revision, error)) {
	for f != nil {
		bounded, cancel := context.WithTimeoutCause(ctx, Patience, errStale)
		f.revision, f.err = read(bounded)
		cancel()
		close(f.done)
		b.mu.Lock()
		f, b.next = b.next, nil
		b.running = f
		b.mu.Unlock()
	}
}
