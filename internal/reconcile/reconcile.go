// Package reconcile runs level-triggered loops: something changed, look at that object, take the next step, again until
// nothing is left to do. It owns queueing, retry, back-off and resync, once for all managers.
package reconcile

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/store"
)

// Loop calls Reconcile for every object that was woken, for one object never twice at once.
type Loop struct {
	// Name is the loop's name in logs.
	Name string
	// Reconcile takes the next steps for one object. It is safe at any moment and any number of times. A duration above
	// 0 asks to be called again after it; an error is logged and retried with growing pauses, each at most that duration.
	// Its context ends when the loop does, or when the object is interrupted.
	Reconcile func(ctx context.Context, id string) (time.Duration, error)
	// All lists the objects to look at when the loop starts and at every resync.
	All func() []string
	// Sweep removes from the host what no object wants. It runs at start and at every resync; nil for none.
	Sweep func(ctx context.Context) error
	// Resync is the time between looks at everything; 0 means DefaultResync.
	Resync time.Duration
	// Workers is how many objects are worked on at once; 0 means 16.
	Workers int
	// Log must be set.
	Log *slog.Logger

	mu      sync.Mutex
	objects map[string]*object // guarded by mu; those queued, running or waiting for a retry
	slots   chan struct{}      // guarded by mu; nil unless running
	ctx     context.Context    //nolint:containedctx // guarded by mu; the loop's own life, for passes that others wake
	passes  sync.WaitGroup
}

// DefaultResync is how often everything is looked at again when nothing is said.
const DefaultResync = 30 * time.Second

// Pauses between attempts at an object that keeps failing.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second

	// After a lost race there is nothing to wait for but the view. Races lost for longer than suspicious are no accident:
	// another process speaks for the same node, or the store contradicts the view.
	afterConflict = 5 * time.Millisecond
	suspicious    = time.Second
)

type object struct {
	running  bool
	again    bool // woken while running
	cancel   context.CancelFunc
	failures int
	told     string      // the failure that was logged last
	races    int         // lost one after the other
	timer    *time.Timer // a retry to come
}

// Wake has the object looked at soon. Before the loop runs and after it ended it does nothing: its start looks at all.
func (l *Loop) Wake(id string) { l.wake(id, false) }

// Interrupt cancels the pass that is working on the object, if any, and has it looked at afresh.
func (l *Loop) Interrupt(id string) { l.wake(id, true) }

func (l *Loop) wake(id string, interrupt bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil || l.ctx.Err() != nil {
		return
	}
	o := l.objects[id]
	if o == nil {
		o = &object{}
		l.objects[id] = o
	}
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	if o.running {
		o.again = true
		if interrupt {
			o.cancel()
		}
		return
	}
	l.start(id, o)
}

// start begins a pass; mu is held.
func (l *Loop) start(id string, o *object) {
	ctx, cancel := context.WithCancel(l.ctx)
	o.running, o.again, o.cancel = true, false, cancel
	l.passes.Go(func() {
		defer cancel()
		select {
		case l.slots <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		again, err := l.Reconcile(ctx, id)
		<-l.slots
		l.finish(ctx, id, o, again, err)
	})
}

func (l *Loop) finish(ctx context.Context, id string, o *object, again time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.running = false
	if l.ctx.Err() != nil {
		return
	}
	switch {
	case store.FailedChecks(err) != nil:
		o.races++
		again = min(afterConflict<<min(o.races-1, 20), lastPause) // what the faster one wrote is about to be seen
		if again >= suspicious {
			l.Log.WarnContext(ctx, l.Name+": changed by somebody else every time, trying again", slog.String("id", id), slog.Duration("in", again), slog.Any("error", err))
		}
	case err != nil && ctx.Err() == nil:
		o.failures++
		next := pause(o.failures)
		if again > 0 {
			next = min(next, again)
		}
		again = next
		l.tell(ctx, id, o, again, err)
	case err == nil:
		o.failures, o.races, o.told = 0, 0, ""
	}
	switch {
	case o.again:
		l.start(id, o)
	case again > 0:
		o.timer = time.AfterFunc(again, func() { l.Wake(id) })
	default:
		delete(l.objects, id)
	}
}

// tell logs a failure once. Its repetition is news only to those who look for details.
func (l *Loop) tell(ctx context.Context, id string, o *object, again time.Duration, err error) {
	level := slog.LevelWarn
	if text := err.Error(); text == o.told {
		level = slog.LevelDebug
	} else {
		o.told = text
	}
	l.Log.Log(ctx, level, l.Name+": trying again", slog.String("id", id), slog.Duration("in", again), slog.Any("error", err))
}

// pause doubles with every failure, and is spread so that many objects don't come back at the same moment.
func pause(failures int) time.Duration {
	d := min(firstPause<<min(failures-1, 10), lastPause)
	return d/2 + rand.N(d/2+1) //nolint:gosec // jitter
}

// Run runs the loop until ctx ends and every pass has returned.
func (l *Loop) Run(ctx context.Context) {
	workers := l.Workers
	if workers == 0 {
		workers = 16
	}
	l.mu.Lock()
	l.objects = map[string]*object{}
	l.slots = make(chan struct{}, workers)
	l.ctx = ctx
	l.mu.Unlock()
	defer l.stop()

	resync := l.Resync
	if resync == 0 {
		resync = DefaultResync
	}
	tick := time.NewTicker(resync)
	defer tick.Stop()
	for {
		l.lookAtAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *Loop) lookAtAll(ctx context.Context) {
	if l.Sweep != nil {
		if err := l.Sweep(ctx); err != nil && ctx.Err() == nil {
			l.Log.WarnContext(ctx, l.Name+": removing leftovers failed, trying again at the next resync", slog.Any("error", err))
		}
	}
	for _, id := range l.All() {
		l.Wake(id)
	}
}

// WakeAll has everything looked at now, as a resync does.
func (l *Loop) WakeAll() {
	for _, id := range l.All() {
		l.Wake(id)
	}
}

// Busy returns the objects that are queued, worked on, or waiting for a retry.
func (l *Loop) Busy() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]string, 0, len(l.objects))
	for id := range l.objects {
		ids = append(ids, id)
	}
	return ids
}

func (l *Loop) stop() {
	l.mu.Lock()
	for _, o := range l.objects {
		if o.timer != nil {
			o.timer.Stop()
		}
	}
	l.mu.Unlock()
	l.passes.Wait()
}
