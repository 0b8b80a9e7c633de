package artifact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// crowd are downloads that want their turns.
type crowd struct {
	t     *testing.T
	turns *turns

	mu    sync.Mutex
	under map[string][]func() // guarded by mu; ends of those under way, by namespace
	woken []string            // guarded by mu
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{t: t, under: map[string][]func(){}}
	c.turns = newTurns(4, func(id string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.woken = append(c.woken, id)
	})
	return c
}

// want has so many of a namespace want their turns, each from a host of its own if host is "".
func (c *crowd) want(namespace, host string, n int) {
	for i := range n {
		id := fmt.Sprintf("%s-%d", namespace, i)
		from := host
		if from == "" {
			from = id
		}
		go func() {
			end, err := c.turns.take(c.t.Context(), id, namespace, from)
			if end == nil || err != nil {
				return
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.under[namespace] = append(c.under[namespace], end)
		}()
	}
	synctest.Wait()
}

func (c *crowd) has(namespace string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.under[namespace])
}

// end ends the oldest of a namespace.
func (c *crowd) end(namespace string) {
	c.mu.Lock()
	end := c.under[namespace][0]
	c.under[namespace] = c.under[namespace][1:]
	c.mu.Unlock()
	end()
	synctest.Wait()
}

// finish ends everything.
func (c *crowd) finish() {
	for _, namespace := range []string{"a", "b", "c"} {
		for c.has(namespace) > 0 {
			c.end(namespace)
		}
	}
	c.turns.mu.Lock()
	defer c.turns.mu.Unlock()
	require.Zero(c.t, c.turns.running)
	require.Empty(c.t, c.turns.waiting)
	require.Empty(c.t, c.turns.spaces)
	require.Empty(c.t, c.turns.hosts)
	require.Empty(c.t, c.turns.later)
}

func TestWhoComesLateFindsATurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		c.want("a", "", 20)
		require.Equal(t, 8, c.has("a"), "one alone has half of all")
		c.want("b", "", 20)
		require.Equal(t, 4, c.has("b"), "as many as are free when it comes")
		c.want("c", "", 20)
		require.Equal(t, 2, c.has("c"))
		c.end("a")
		require.Equal(t, 3, c.has("c"), "who has least is next")
		c.finish()
	})
}

func TestAHostIsAskedForAFewAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		c.want("a", "mirror", 10)
		require.Equal(t, 4, c.has("a"))
		c.want("b", "mirror", 1)
		require.Zero(t, c.has("b"))
		c.want("b", "elsewhere", 1)
		require.Equal(t, 1, c.has("b"), "what waits for a host holds nobody up")
		c.want("c", "", 1)
		require.Equal(t, 1, c.has("c"))
		c.end("a")
		require.Equal(t, 5, c.has("a")+c.has("b"), "the host has as many as before")
		c.finish()
	})
}

func TestTooManyAreSentAwayAndCalledAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		c.want("a", "mirror", 4+maxWaiting+3)
		require.Equal(t, 4, c.has("a"))
		require.Len(t, c.turns.waiting, maxWaiting)
		require.Empty(t, c.woken)
		c.end("a")
		require.Len(t, c.woken, 1)
		c.finish()
		require.Len(t, c.woken, 3)
		slices.Sort(c.woken)
		require.Len(t, slices.Compact(c.woken), 3, "each is called once")
	})
}

func TestWhoGivesUpHoldsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		c.want("a", "mirror", 4)
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		go func() {
			_, err := c.turns.take(ctx, "late", "b", "mirror")
			result <- err
		}()
		synctest.Wait()
		cancel(gone)
		require.ErrorIs(t, <-result, gone)
		c.end("a")
		c.want("c", "mirror", 1)
		require.Equal(t, 1, c.has("c"))
		c.finish()
	})
}

func TestWhoWasSentAwayIsCalledWhenAllThatWaitGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		c.want("other", "busy.test", 4)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range maxWaiting {
			go func() { _, _ = c.turns.take(ctx, fmt.Sprint(i), "tenant", "busy.test") }()
		}
		synctest.Wait()
		end, err := c.turns.take(ctx, "late", "tenant", "busy.test")
		require.NoError(t, err)
		require.Nil(t, end)
		cancel()
		synctest.Wait()
		require.Equal(t, []string{"late"}, c.woken)
		for range 4 {
			c.end("other")
		}
		c.finish()
	})
}

func TestAHostThatWantsToBeLeftAloneIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(4, func(string) {})
		require.Zero(t, turns.silence("mirror"))
		turns.hush("mirror", 30*time.Second)
		turns.hush("greedy", time.Hour)
		time.Sleep(10 * time.Second)
		require.Equal(t, 20*time.Second, turns.silence("mirror"))
		require.Equal(t, maxQuiet-10*time.Second, turns.silence("greedy"), "nobody is left alone for ever")
		time.Sleep(maxQuiet)
		turns.hush("another", time.Second)
		require.Len(t, turns.quiet, 1, "what is over is forgotten")
	})
}
