package server

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// gate bounds how many logins are checked at once. Each costs tens of milliseconds of CPU on purpose, and whoever guesses
// keys must not stop everybody else's requests.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int32
	queue   int32         // most that wait
	wait    time.Duration // longest that one waits
}

func newGate() *gate {
	return &gate{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), queue: 64, wait: 10 * time.Second}
}

// enter waits for a slot, to be given back by leave. It fails with fault.Unavailable.
func (g *gate) enter(ctx context.Context) error {
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.queue {
		return errBusy()
	}
	ctx, cancel := context.WithTimeout(ctx, g.wait)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errBusy()
	}
}

func (g *gate) leave() { <-g.slots }

func errBusy() error {
	return fault.New("server.login", fault.Unavailable, "", "too many logins at once; try again in a few seconds")
}
