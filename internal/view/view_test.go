package view_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/logbuf"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

type thing struct {
	Color string `json:"color"`
}

// process is what one process of a cloud has: a view and its tables.
type process struct {
	*view.View
	things *view.Table[thing]
	log    *logbuf.Buffer

	mu      sync.Mutex
	changed map[string]int // guarded by mu; how often OnChange told of an ID
}

func newProcess(s store.Store) *process {
	log := &logbuf.Buffer{}
	p := &process{View: view.New(s, slog.New(slog.NewTextHandler(log, nil))), log: log, changed: map[string]int{}}
	p.things = view.NewTable[thing](p.View, "thing")
	p.things.Index("color", func(r view.Row[thing]) []string { return []string{r.Value.Color} })
	p.things.OnChange(func(id string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed[id]++
	})
	return p
}

func (p *process) run(t *testing.T) *process {
	t.Helper()
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() { p.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return p
}

func (p *process) changes(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed[id]
}

func (p *process) put(t *testing.T, id, color string) store.Revision {
	t.Helper()
	tx := view.Txn{Name: "put thing", Ref: id}
	tx.Do(p.things.Put(id, thing{color}))
	r, err := p.Commit(t.Context(), tx)
	require.NoError(t, err)
	return r
}

func (p *process) remove(t *testing.T, id string) {
	t.Helper()
	tx := view.Txn{Name: "delete thing", Ref: id}
	tx.Do(p.things.Delete(id))
	_, err := p.Commit(t.Context(), tx)
	require.NoError(t, err)
}

func (p *process) colorOf(id string) string {
	row, _ := p.things.Get(id)
	return row.Value.Color
}

func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func TestWhatLiesOutsideTheViewMakesNobodyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(memstore.New()).run(t)
		p.put(t, "a", "red")
		event := store.Put("e/thing/a/1", []byte("{}"))
		require.Zero(t, took(func() {
			_, err := p.Store().Commit(t.Context(), nil, []store.Op{event})
			require.NoError(t, err)
			require.NoError(t, p.Fresh(t.Context()))
			_, err = p.Commit(t.Context(), view.Txn{Name: "event", Ops: []store.Op{event}})
			require.NoError(t, err)
			require.NoError(t, p.Fresh(t.Context()))
		}))
		require.Empty(t, p.log.String())
	})
}

func TestAnEmptyStoreIsFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(memstore.New()).run(t)
		require.Zero(t, took(func() { require.NoError(t, p.Fresh(t.Context())) }))
	})
}

func TestTwoViewsOfOneStoreReadEachOthersCommits(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	a, b := newProcess(s).run(t), newProcess(s).run(t)
	for i := range 200 {
		color := fmt.Sprint("color ", i)
		a.put(t, "x", color)
		require.Equal(t, color, a.colorOf("x"), "a process does not read its own commit")
		require.NoError(t, b.Fresh(t.Context()))
		require.Equal(t, color, b.colorOf("x"), "a fresh read lacks what another process committed")
		a, b = b, a
	}
}

func TestIndexesFollowChangesAndDeletes(t *testing.T) {
	t.Parallel()
	p := newProcess(memstore.New()).run(t)
	for i := range 9 {
		p.put(t, fmt.Sprint(i), []string{"red", "green", "blue"}[i%3])
	}
	p.put(t, "0", "green")
	p.remove(t, "1")
	var green []string
	for _, r := range p.things.By("color", "green") {
		green = append(green, r.ID)
	}
	require.Equal(t, []string{"0", "4", "7"}, green)
	require.Equal(t, 2, p.things.Count("color", "red"))
	require.Equal(t, 8, p.things.Len())
	require.Empty(t, p.things.By("color", "pink"))
	_, there := p.things.Get("1")
	require.False(t, there)
	require.Eventually(t, func() bool { return p.changes("1") == 2 }, time.Second, time.Millisecond)
}

func TestAHalfIsNeverSeen(t *testing.T) {
	t.Parallel()
	p := newProcess(memstore.New()).run(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 300 {
			tx := view.Txn{Name: "paint all"}
			for id := range 5 {
				tx.Do(p.things.Put(fmt.Sprint(id), thing{fmt.Sprint(i)}))
			}
			_, err := p.Commit(context.WithoutCancel(t.Context()), tx)
			if err != nil {
				t.Error(err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		all := p.things.All()
		require.Contains(t, []int{0, 5}, len(all))
		for _, r := range all {
			require.Equal(t, all[0].Value, r.Value)
			require.Contains(t, []int{0, 5}, p.things.Count("color", r.Value.Color))
		}
	}
}

func TestPatienceIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p    func(t *testing.T) *process
		call func(*process, context.Context) error
	}{
		"a store that hangs": {
			func(t *testing.T) *process { t.Helper(); return newProcess(&hanging{memstore.New()}).run(t) },
			func(p *process, ctx context.Context) error { return p.Fresh(ctx) },
		},
		"a view that does not run": {
			func(*testing.T) *process { return newProcess(memstore.New()) },
			func(p *process, ctx context.Context) error { return p.Fresh(ctx) },
		},
		"a view that nobody opened": {
			func(t *testing.T) *process { t.Helper(); return newProcess(memstore.New()).run(t) },
			func(p *process, ctx context.Context) error { return p.Opened(ctx) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := c.p(t)
				var err error
				require.Equal(t, view.Patience, took(func() { err = c.call(p, t.Context()) }))
				require.ErrorIs(t, err, fault.Unavailable)
				require.Contains(t, fault.Text(err), "the state store did not answer in 5s")
				time.Sleep(time.Minute) // the read that was shared ends too
			})
		})
	}
}

func TestOpenLetsEverybodyGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(memstore.New())
		time.AfterFunc(time.Second, p.Open)
		require.Equal(t, time.Second, took(func() { require.NoError(t, p.Opened(t.Context())) }))
		require.Zero(t, took(func() { require.NoError(t, p.Opened(t.Context())) }))
	})
}

func TestACommitThatIsSeenLateHoldsAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(memstore.New())
		var r store.Revision
		require.Equal(t, view.Patience, took(func() { r = p.put(t, "a", "red") }))
		require.Equal(t, store.Revision(1), r)
		require.Contains(t, p.log.String(), "own commit not seen in time")
	})
}

// hanging is a store of which no head can be read.
type hanging struct{ *memstore.Store }

func (h *hanging) Get(ctx context.Context, _ string) (store.Entry, error) {
	<-ctx.Done()
	return store.Entry{}, context.Cause(ctx)
}

func TestRetryTriesAgainAfterAFailedCheckOnly(t *testing.T) {
	t.Parallel()
	conflict := store.Conflict([]store.Check{store.Absent("o/x")})
	decided := fault.New("test", fault.Conflict, "", "address in use")
	for name, c := range map[string]struct {
		answers []error
		want    error
	}{
		"success":             {[]error{nil}, nil},
		"two lost races":      {[]error{conflict, conflict, nil}, nil},
		"a conflict of f":     {[]error{conflict, decided}, decided},
		"any other failure":   {[]error{fault.Exhausted}, fault.Exhausted},
		"wrapped lost race":   {[]error{fault.Wrap("op", "x", conflict), nil}, nil},
		"a race for all time": {nil, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, calls := newProcess(memstore.New()).run(t), 0
				err := p.Retry(t.Context(), func() error {
					calls++
					if c.answers == nil {
						return conflict
					}
					return c.answers[calls-1]
				})
				if c.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, c.want)
				}
				if c.answers == nil {
					require.Equal(t, 30, calls)
					require.Equal(t, fault.Unavailable, fault.KindOf(err))
					require.Contains(t, fault.Text(err), "others kept changing the same objects; try again")
				} else {
					require.Equal(t, len(c.answers), calls)
				}
			})
		})
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(memstore.New()).run(t)
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		err := p.Retry(ctx, func() error {
			if calls++; calls == 2 {
				cancel()
			}
			return store.Conflict([]store.Check{store.Absent("o/x")})
		})
		require.Error(t, err)
		require.True(t, errors.Is(err, context.Canceled), err)
		require.Equal(t, 2, calls)
	})
}

func TestPendingReadsTheTransactionItself(t *testing.T) {
	t.Parallel()
	p := newProcess(memstore.New())
	tx := view.Txn{}
	_, there := p.things.Pending(&tx, "a")
	require.False(t, there)
	tx.Do(p.things.Put("a", thing{"red"}), p.things.Delete("b"))
	got, there := p.things.Pending(&tx, "a")
	require.True(t, there)
	require.Equal(t, thing{"red"}, got)
	_, there = p.things.Pending(&tx, "b")
	require.False(t, there)
}
