package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

func TestLoginsWaitInABoundedQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{slots: make(chan struct{}, 1), queue: 2, wait: 10 * time.Second}
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		results := make(chan error, 2)
		for range 2 {
			go func() { results <- g.enter(t.Context()) }()
		}
		synctest.Wait()
		if err := g.enter(t.Context()); !errors.Is(err, fault.Unavailable) {
			t.Errorf("the queue was full, but got %v", err)
		}
		g.leave()
		if err := <-results; err != nil {
			t.Errorf("a slot was free, but got %v", err)
		}
		start := time.Now()
		if err := <-results; !errors.Is(err, fault.Unavailable) || time.Since(start) != 10*time.Second {
			t.Errorf("nobody left, but got %v after %v", err, time.Since(start))
		}
		g.leave()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 { // either is right when both are possible, but a slot must never be lost
			if g.enter(gone) == nil {
				g.leave()
			}
		}
		if err := g.enter(t.Context()); err != nil || g.waiting.Load() != 0 {
			t.Errorf("got %v with %d waiting", err, g.waiting.Load())
		}
	})
}
