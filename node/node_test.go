package node_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// process is one that speaks, or tries to speak, for a node.
type process struct {
	*node.Manager
	view   *view.View
	events *event.Recorder
	store  *memstore.Store
	lease  store.Lease
	stop   func() // in order; returns when it has ended

	mu   sync.Mutex
	inv  node.Inventory // guarded by mu; what the machine looks like now
	asks int            // guarded by mu; how often that was asked
}

func newProcess(t *testing.T, s *memstore.Store, name string) *process {
	t.Helper()
	p := &process{
		view: view.New(s, slog.New(slog.DiscardHandler)), events: event.NewRecorder(s, name), store: s,
		inv: node.Inventory{CPUs: 8, MemoryMiB: 1 << 14, DiskTotal: 100 << 30, DiskFree: 50 << 30},
	}
	p.Manager = node.New(node.Deps{
		View: p.view, Events: p.events, Name: name, Resync: 30 * time.Second,
		Inventory: func(context.Context) node.Inventory {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.asks++
			return p.inv
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var viewing sync.WaitGroup
	viewing.Go(func() { p.view.Run(ctx) })
	t.Cleanup(func() { cancel(); viewing.Wait() })
	require.NoError(t, p.view.Fresh(t.Context()))
	return p
}

// join has the process speak for its node and keep it alive until stop.
func (p *process) join(t *testing.T) *process {
	t.Helper()
	lease, err := p.Join(context.Background())
	require.NoError(t, err)
	p.lease = lease
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx, lease) })
	p.stop = func() { cancel(); running.Wait() }
	t.Cleanup(p.stop)
	return p
}

func (p *process) change(f func(*node.Inventory)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.inv)
}

func (p *process) messages(t *testing.T) []string {
	t.Helper()
	events, err := p.events.List(t.Context(), event.Object{Kind: "node", ID: p.Name()}, "", -1)
	require.NoError(t, err)
	all := []string{}
	for _, e := range events {
		all = append(all, e.Message)
	}
	return all
}

// speak commits something for the node.
func (p *process) speak(t *testing.T) error {
	t.Helper()
	_, err := p.store.Commit(t.Context(), []store.Check{p.Fence()}, []store.Op{store.Put("said", []byte(p.Name()))})
	return err
}

func (p *process) see(t *testing.T, name string) node.Node {
	t.Helper()
	require.NoError(t, p.view.Fresh(t.Context()))
	n, err := p.Get(t.Context(), name)
	require.NoError(t, err)
	return n
}

func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func TestANodeThatJoinsIsSeenByAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		b, a := newProcess(t, s, "b").join(t), newProcess(t, s, "a").join(t)
		require.Equal(t, node.Created, b.see(t, "a").State)
		require.Equal(t, 8, a.see(t, "b").CPUs)
		_, err := a.Get(t.Context(), "c")
		require.ErrorIs(t, err, fault.NotFound)
		var names []string
		for _, n := range b.List(t.Context()) {
			names = append(names, n.Name)
		}
		require.Equal(t, []string{"a", "b"}, names)
		require.NoError(t, a.speak(t))
		require.NoError(t, b.speak(t))
		require.Equal(t, []string{"joined the cloud"}, a.messages(t))
	})
}

func TestANodeThatLeavesIsStopped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a, b := newProcess(t, s, "a").join(t), newProcess(t, s, "b").join(t)
		a.stop()
		left := time.Now()
		time.Sleep(time.Hour)
		n := b.see(t, "a")
		require.Equal(t, node.Stopped, n.State)
		require.True(t, n.LastSeen.Equal(left), n.LastSeen)
		require.ErrorIs(t, a.speak(t), fault.Conflict)
		require.Equal(t, []string{"left the cloud", "joined the cloud"}, b.messagesOf(t, "a"))
	})
}

func (p *process) messagesOf(t *testing.T, name string) []string {
	t.Helper()
	q := &process{Manager: node.New(node.Deps{View: view.New(p.store, nil), Name: name}), events: p.events}
	return q.messages(t)
}

func TestANodeThatDiesWithoutAWordIsMissing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a, b := newProcess(t, s, "a"), newProcess(t, s, "b").join(t)
		lease, err := a.Join(t.Context()) // and nobody runs it
		require.NoError(t, err)
		require.Equal(t, node.Created, b.see(t, "a").State)
		require.NoError(t, s.ExpireLease(lease.ID()))
		synctest.Wait()
		require.Equal(t, node.Missing, b.see(t, "a").State)
		require.ErrorIs(t, a.speak(t), fault.Conflict)

		again := newProcess(t, s, "a").join(t)
		require.Equal(t, node.Created, b.see(t, "a").State)
		require.NoError(t, again.speak(t))
	})
}

func TestAProcessThatIsReplacedIsHeardNoMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		old := newProcess(t, s, "a").join(t)
		require.NoError(t, old.speak(t))
		young := newProcess(t, s, "a").join(t) // the old one's lease still lives
		young.change(func(i *node.Inventory) { i.CPUs = 16 })
		young.Look()
		synctest.Wait()
		require.ErrorIs(t, old.speak(t), fault.Conflict)
		require.NoError(t, young.speak(t))

		old.Look()
		time.Sleep(time.Hour)
		require.Equal(t, 16, young.see(t, "a").CPUs, "the old process wrote what it saw")
		old.stop()
		synctest.Wait()
		require.Equal(t, node.Created, young.see(t, "a").State, "the old process took the young one's node with it")
		require.NoError(t, young.speak(t))
	})
}

func TestALostLeaseIsMadeGood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a, b := newProcess(t, s, "a").join(t), newProcess(t, s, "b").join(t)
		for range 3 {
			s.FailNext("Lease", fault.New("test", fault.Unavailable, "", "away"))
		}
		require.NoError(t, s.ExpireLease(a.lease.ID()))
		synctest.Wait()
		require.ErrorIs(t, a.speak(t), fault.Conflict)
		s.FailNext("Commit", fault.New("test", fault.Unavailable, "", "away"))
		require.Equal(t, node.Missing, b.see(t, "a").State)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, node.Created, b.see(t, "a").State)
		require.NoError(t, a.speak(t))
		time.Sleep(time.Hour)
		require.NoError(t, a.speak(t))

		a.stop()
		synctest.Wait()
		require.Equal(t, node.Stopped, b.see(t, "a").State, "a node whose lease was lost once can not leave in order")
	})
}

func TestAStopEndsTheWaitForAStoreThatIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a := newProcess(t, s, "a").join(t)
		for range 1000 {
			s.FailNext("Lease", fault.New("test", fault.Unavailable, "", "away"))
		}
		require.NoError(t, s.ExpireLease(a.lease.ID()))
		time.Sleep(90 * time.Second)
		start := time.Now()
		a.stop()
		require.Less(t, time.Since(start), 4*time.Second)
	})
}

func TestTheInventoryIsWrittenOnlyWhenItMatters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a := newProcess(t, s, "a").join(t)
		before := s.Stats().Commits
		time.Sleep(time.Hour)
		require.Equal(t, before, s.Stats().Commits, "an idle node writes")
		a.mu.Lock()
		require.InDelta(t, 121, a.asks, 1, "looked at every 30 seconds")
		a.mu.Unlock()

		for _, c := range []struct {
			what    string
			change  func(*node.Inventory)
			written bool
		}{
			{"a little less disk", func(i *node.Inventory) { i.DiskFree -= 1 << 30 }, false},
			{"a little less again, which makes it much", func(i *node.Inventory) { i.DiskFree -= 1 << 30 }, true},
			{"a little more", func(i *node.Inventory) { i.DiskFree += 1 << 30 }, false},
			{"another MTU", func(i *node.Inventory) { i.MTU = 1400 }, true},
			{"the hypervisor goes", func(i *node.Inventory) { i.Down = "libvirtd does not answer" }, true},
			{"and stays away", func(*node.Inventory) {}, false},
			{"the hypervisor comes back", func(i *node.Inventory) { i.Down = "" }, true},
		} {
			before := s.Stats().Commits
			a.change(c.change)
			a.Look()
			synctest.Wait()
			require.Equal(t, c.written, s.Stats().Commits > before, c.what)
		}
		require.Equal(t, []string{
			"hypervisor came back", "hypervisor went down: libvirtd does not answer", "inventory changed", "inventory changed", "joined the cloud",
		}, a.messages(t))
		require.Equal(t, 1400, a.see(t, "a").MTU)
	})
}

func TestJoiningFailsWithNothingLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		a := newProcess(t, s, "a")
		s.FailNext("Commit", fault.New("test", fault.Unavailable, "", "away"))
		_, err := a.Join(t.Context())
		require.ErrorIs(t, err, fault.Unavailable)
		page, err := s.List(t.Context(), "", "", 0)
		require.NoError(t, err)
		require.Empty(t, page.Entries)
		require.Error(t, a.speak(t))
		require.Error(t, s.ExpireLease("1"), "the lease was kept")
	})
}

func TestAHypervisorThatComesBackIsSeenWithoutBeingTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newProcess(t, memstore.New(), "a").join(t)
		a.change(func(i *node.Inventory) { i.Down = "it did not answer once" })
		a.Look()
		synctest.Wait()
		require.NotEmpty(t, a.see(t, "a").Down)
		a.change(func(i *node.Inventory) { i.Down = "" })
		time.Sleep(2 * time.Second)
		require.Empty(t, a.see(t, "a").Down, "nobody could place anything here until the next resync")
	})
}

func TestAMachineThatHangsKeepsNobodyFromTheLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := memstore.New()
		p := newProcess(t, s, "a")
		hangs := node.New(node.Deps{
			View: p.view, Events: p.events, Name: "b", Resync: 30 * time.Second,
			Inventory: func(ctx context.Context) node.Inventory {
				<-ctx.Done()
				return node.Inventory{Down: context.Cause(ctx).Error()}
			},
		})
		start := time.Now()
		lease, err := hangs.Join(context.Background())
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 10*time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { hangs.Run(ctx, lease) })
		require.NoError(t, s.ExpireLease(lease.ID()))
		time.Sleep(time.Minute)
		require.NoError(t, p.view.Fresh(t.Context()))
		_, err = s.Commit(t.Context(), []store.Check{hangs.Fence()}, []store.Op{store.Put("said", nil)})
		require.NoError(t, err, "the lost lease was not made good")
		cancel()
		running.Wait()
	})
}
