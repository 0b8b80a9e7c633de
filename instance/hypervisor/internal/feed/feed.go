// Package feed hands a driver's events to everybody who watches.
package feed

import (
	"context"
	"iter"
	"sync"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// most is how many events wait for one slow watcher; beyond it they collapse into one that says "look at everything".
const most = 1024

// Feed has any number of watchers. The zero value is ready.
type Feed struct {
	mu       sync.Mutex
	watchers map[*watcher]struct{} // guarded by mu
}

type watcher struct {
	mu    sync.Mutex
	queue []hypervisor.Event // guarded by mu
	wake  chan struct{}
}

// Send gives e to every watcher. It never waits for one.
func (f *Feed) Send(e hypervisor.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		w.push(e)
	}
}

func (w *watcher) push(e hypervisor.Event) {
	w.mu.Lock()
	if len(w.queue) == most {
		w.queue = []hypervisor.Event{{}}
	} else {
		w.queue = append(w.queue, e)
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // it has been woken already
	}
}

func (w *watcher) take() []hypervisor.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.queue
	w.queue = nil
	return q
}

// Watch yields the events sent from now on, until ctx ends.
func (f *Feed) Watch(ctx context.Context) iter.Seq2[hypervisor.Event, error] {
	w := &watcher{wake: make(chan struct{}, 1)}
	f.mu.Lock()
	if f.watchers == nil {
		f.watchers = map[*watcher]struct{}{}
	}
	f.watchers[w] = struct{}{}
	f.mu.Unlock()
	leave := func() {
		f.mu.Lock()
		delete(f.watchers, w)
		f.mu.Unlock()
	}
	stop := context.AfterFunc(ctx, leave)
	return func(yield func(hypervisor.Event, error) bool) {
		defer stop()
		defer leave()
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.wake:
			}
			for _, e := range w.take() {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}
