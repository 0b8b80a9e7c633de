//go:build linux

package netlinknet

import (
	"context"
	"sync"

	"github.com/shakenfist/shakenfist/fault"
)

// locks makes calls for one key take turns, each waiting no longer than its context. The zero value is ready.
type locks struct {
	mu   sync.Mutex
	held map[string]*turn // guarded by mu
}

// turn is the lock of one key; whoever's send succeeded has it.
type turn struct {
	taken chan struct{}
	users int // holders and waiters; guarded by locks.mu
}

// lock waits for the key and returns what gives it back.
func (l *locks) lock(ctx context.Context, key string) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*turn{}
	}
	t := l.held[key]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		l.held[key] = t
	}
	t.users++
	l.mu.Unlock()

	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(l.held, key)
		}
	}
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, fault.Because("netlinknet.lock", fault.Unavailable, key, ctx.Err(), "given up while another call for this network ran")
	}
}
