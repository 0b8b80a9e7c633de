package server

import (
	"context"
	"math"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// gate bounds how many secrets are hashed at once. Each costs tens of milliseconds of CPU on purpose, and whoever guesses
// keys must not stop everybody else's requests. Those who wait are let in in the order in which they came.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int32
	queue   int32         // most that wait; guesses may fill half of it
	wait    time.Duration // longest that one waits
}

func newGate() *gate {
	return &gate{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), queue: 64, wait: 10 * time.Second}
}

// enter waits for a slot, to be given back by leave. It fails with fault.Unavailable.
func (g *gate) enter(ctx context.Context) error { return g.enterUpTo(ctx, g.queue) }

// enterGuess is enter for a secret that is probably wrong: there is always room left in the queue for those that are right.
func (g *gate) enterGuess(ctx context.Context) error { return g.enterUpTo(ctx, g.queue/2) }

func (g *gate) enterUpTo(ctx context.Context, most int32) error {
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > most {
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

// later is an error that passes, and after how long it is worth trying again.
type later struct {
	error
	after time.Duration
}

func (e later) Unwrap() error { return e.error }

func (e later) bare() error { return e.error }

// seconds is the header Retry-After.
func (e later) seconds() string { return strconv.Itoa(int(math.Ceil(e.after.Seconds()))) }

func errBusy() error {
	return later{fault.New("server.login", fault.Unavailable, "", "too many logins at once; try again in a few seconds"), 2 * time.Second}
}
