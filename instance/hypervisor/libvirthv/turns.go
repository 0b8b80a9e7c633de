//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"sync"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/fault"
)

// turns has everybody who holds or releases the disks of a domain wait for their turn. The zero value is ready.
type turns struct {
	mu   sync.Mutex
	busy map[string]*turn // guarded by mu; by ID
}

// turn lasts until everybody who entered it has left it: a call to libvirt that was given up by its caller goes on, and what
// it changes must not come as a surprise to the next.
type turn struct {
	of    *turns
	id    string
	users int           // guarded by of.mu
	over  chan struct{} // closed when there are none
}

// take waits for the turn of the domain id, and enters it.
func (s *turns) take(ctx context.Context, op, id string) (*turn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Because(op, fault.Unavailable, id, err, "the call was given up before it began")
	}
	for {
		s.mu.Lock()
		taken, ok := s.busy[id]
		if !ok {
			if s.busy == nil {
				s.busy = map[string]*turn{}
			}
			mine := &turn{of: s, id: id, users: 1, over: make(chan struct{})}
			s.busy[id] = mine
			s.mu.Unlock()
			return mine, nil
		}
		s.mu.Unlock()
		select {
		case <-taken.over:
		case <-ctx.Done():
			return nil, fault.Because(op, fault.Unavailable, id, ctx.Err(), "another call still holds or releases this domain")
		}
	}
}

// enter reports whether the turn goes on, and has it go on until leave.
func (t *turn) enter() bool {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.users == 0 {
		return false
	}
	t.users++
	return true
}

func (t *turn) leave() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(t.of.busy, t.id)
		close(t.over)
	}
}

// within is Driver.domain as a part of a turn. If the turn is over before f begins, f is not called.
func (d *Driver) within(ctx context.Context, t *turn, op string, f func(*libvirt.Domain) error) error {
	return d.domain(ctx, op, t.id, func(ld *libvirt.Domain) error {
		if !t.enter() {
			return fault.New(op, fault.Unavailable, t.id, "the call was given up before it began")
		}
		defer t.leave()
		return f(ld)
	})
}
