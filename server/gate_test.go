package server

import (
	"context"
	"errors"
	"slices"
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

func TestWhoCameFirstIsLetInFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{slots: make(chan struct{}, 1), queue: 10, wait: 10 * time.Second}
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		impatient, leave := context.WithCancel(t.Context())
		entered := make(chan int, 6)
		for i := range 6 {
			ctx := t.Context()
			if i == 2 {
				ctx = impatient
			}
			go func() {
				if g.enter(ctx) == nil {
					entered <- i
				}
			}()
			synctest.Wait()
		}
		leave()
		synctest.Wait()
		var order []int
		for range 5 {
			g.leave()
			order = append(order, <-entered)
		}
		if want := []int{0, 1, 3, 4, 5}; !slices.Equal(order, want) || g.waiting.Load() != 0 {
			t.Errorf("let in were %v with %d left waiting, want %v: one went away", order, g.waiting.Load(), want)
		}
	})
}

func TestGuessesLeaveRoomForRightKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{slots: make(chan struct{}, 1), queue: 4, wait: 10 * time.Second}
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		results := make(chan error, 8)
		for range 4 {
			go func() { results <- g.enterGuess(t.Context()) }()
		}
		synctest.Wait()
		for range 2 {
			if err := <-results; !errors.Is(err, fault.Unavailable) {
				t.Errorf("half of the queue was full of guesses, but one more got %v", err)
			}
		}
		for range 2 {
			go func() { results <- g.enter(t.Context()) }()
		}
		synctest.Wait()
		if g.waiting.Load() != 4 {
			t.Errorf("%d wait, want two guesses and two right keys", g.waiting.Load())
		}
		for range 4 {
			g.leave()
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}
