package node_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// tend has the process see to nodes that are gone.
func (p *process) tend(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.Chores(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

func names(list []node.Node) []string {
	var names []string
	for _, n := range list {
		names = append(names, n.Name+" "+string(n.State))
	}
	return names
}

func TestADeletedNodeIsClearedOnceAndForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a, b := newProcess(t, s, "a"), newProcess(t, s, "b").join(t)
		lost, err := a.Join(t.Context())
		require.NoError(t, err)
		var calls []string
		fails := 2
		b.OnDelete(
			func(_ context.Context, name string, _ store.Check) error {
				calls = append(calls, "first "+name)
				return nil
			},
			func(_ context.Context, name string, gone store.Check) error {
				calls = append(calls, "second "+name)
				if fails--; fails >= 0 {
					return fault.New("test", fault.Unavailable, "", "not now")
				}
				_, err := s.Commit(t.Context(), []store.Check{gone}, []store.Op{store.Put("cleared", nil)})
				return err
			})
		b.tend(t)

		require.Equal(t, node.Created, b.see(t, "a").State)
		_, err = b.Delete(t.Context(), "a")
		require.ErrorIs(t, err, fault.Conflict)
		require.ErrorContains(t, err, "stop its daemon first")
		_, err = b.Delete(t.Context(), "c")
		require.ErrorIs(t, err, fault.NotFound)
		require.NoError(t, s.ExpireLease(lost.ID()))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, node.Missing, b.see(t, "a").State)

		for range 2 {
			n, err := b.Delete(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, node.Deleted, n.State)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"first a", "second a", "first a", "second a", "first a", "second a"}, calls, "called until all succeed, and then no more")
		require.Equal(t, []string{"a deleted", "b created"}, names(b.List(t.Context())))
		require.Equal(t, []string{"what it held was given back", "delete request", "joined the cloud"}, b.messagesOf(t, "a"))
		require.Equal(t, []string{"joined the cloud"}, b.messagesOf(t, "b"))

		time.Sleep(time.Hour)
		require.Equal(t, []string{"b created"}, names(b.List(t.Context())))
		require.Empty(t, b.messagesOf(t, "a"))
	})
}

func TestADeletedNodeThatComesBackIsCreatedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a, b := newProcess(t, s, "a").join(t), newProcess(t, s, "b").join(t)
		time.Sleep(time.Second)
		a.stop()
		time.Sleep(time.Second)
		require.Equal(t, node.Stopped, b.see(t, "a").State)
		var back *process
		b.OnDelete(func(_ context.Context, _ string, gone store.Check) error {
			if back == nil {
				time.Sleep(time.Second)
				back = newProcess(t, s, "a").join(t) // while it is being cleared
			}
			_, err := s.Commit(t.Context(), []store.Check{gone}, []store.Op{store.Put("cleared", nil)})
			return err
		})
		b.tend(t)
		_, err := b.Delete(t.Context(), "a")
		require.NoError(t, err)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"a created", "b created"}, names(b.List(t.Context())))
		_, err = s.Get(t.Context(), "cleared")
		require.ErrorIs(t, err, fault.NotFound, "what a living node holds was taken away")
		require.NoError(t, back.speak(t))
		require.Equal(t, []string{"joined the cloud", "delete request", "left the cloud", "joined the cloud"}, b.messagesOf(t, "a"))
	})
}

func TestADeletionThatNobodyFinishedIsTheMaintainers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a, b, c := newProcess(t, s, "a").join(t), newProcess(t, s, "b").join(t), newProcess(t, s, "c").join(t)
		a.stop()
		require.Equal(t, node.Stopped, c.see(t, "a").State)
		require.Equal(t, "b", c.Maintainer())
		_, err := c.Delete(t.Context(), "a") // and c sees to nothing: it dies over that
		require.NoError(t, err)
		c.stop()
		synctest.Wait()
		cleared := make(chan string, 1)
		b.OnDelete(func(_ context.Context, name string, _ store.Check) error {
			cleared <- name
			return nil
		})
		b.tend(t)
		require.Equal(t, "a", <-cleared)
		b.stop()
		synctest.Wait()
		require.Empty(t, b.Maintainer())
	})
}

func TestOneOfADeleteAndAJoinWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		b := newProcess(t, s, "b").join(t)
		for range 30 {
			newProcess(t, s, "a").join(t).stop()
			again := newProcess(t, s, "a")
			var both sync.WaitGroup
			var deleted, joined error
			var lease store.Lease
			both.Go(func() { _, deleted = b.Delete(t.Context(), "a") })
			both.Go(func() { lease, joined = again.Join(t.Context()) })
			both.Wait()
			require.NoError(t, joined)
			require.True(t, deleted == nil || errors.Is(deleted, fault.Conflict), deleted)
			require.Equal(t, node.Created, b.see(t, "a").State, "a living node is not deleted")
			require.NoError(t, again.speak(t))
			require.NoError(t, s.ExpireLease(lease.ID()))
			synctest.Wait()
		}
	})
}

func TestANodeThatRetiresIsStoppingUntilItLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a, b := newProcess(t, s, "a").join(t), newProcess(t, s, "b").join(t)
		require.Equal(t, os.Getpid(), b.see(t, "a").PID)
		a.Retire(t.Context())
		a.Retire(t.Context())
		require.Equal(t, node.Stopping, b.see(t, "a").State)
		require.Equal(t, "b", b.Maintainer())
		_, err := b.Delete(t.Context(), "a")
		require.ErrorIs(t, err, fault.Conflict)

		require.NoError(t, s.ExpireLease(a.lease.ID()))
		time.Sleep(5 * time.Second)
		require.Equal(t, node.Stopping, b.see(t, "a").State, "a node that got its lease back forgot that it is leaving")
		a.stop()
		n := b.see(t, "a")
		require.Equal(t, node.Stopped, n.State)
		require.Zero(t, n.PID)
	})
}

func TestARetiringNodeWaitsForNoStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a := newProcess(t, s, "a").join(t)
		for range 1000 {
			s.FailNext("Commit", fault.New("test", fault.Unavailable, "", "away"))
		}
		start := time.Now()
		a.Retire(t.Context())
		require.Less(t, time.Since(start), 4*time.Second)
		require.Equal(t, []string{"joined the cloud"}, a.messages(t))
	})
}

func TestEveryMoveOfANodeIsInTheTable(t *testing.T) {
	t.Parallel()
	all := []node.State{node.Created, node.Stopping, node.Stopped, node.Missing, node.Error, node.Deleted}
	for _, from := range all {
		require.NotEmpty(t, node.Next(from), "nothing leads out of %s, and every node can come back", from)
		for _, to := range node.Next(from) {
			require.Contains(t, all, to)
		}
		if from != node.Created {
			require.Contains(t, node.Next(from), node.Created)
		}
	}
	require.NotContains(t, node.Next(node.Deleted), node.Missing)
}

func TestTheEventsOfANodeAreItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		b := newProcess(t, s, "b").join(t)
		newProcess(t, s, "a").join(t).stop()
		require.Equal(t, node.Stopped, b.see(t, "a").State)
		_, err := b.Delete(t.Context(), "a")
		require.NoError(t, err)
		events, err := b.events.List(t.Context(), event.Object{Kind: "node", ID: "a"}, event.Audit, -1)
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.Equal(t, "b", events[0].Node, "who deleted it")
	})
}
