package server

import (
	"context"
	"sync"
)

// sharing lets requests that want the same list at the same time share the making of its body. A body that is being made when
// a request comes may lack what was committed just before that request: it takes part in the next one.
type sharing struct {
	mu     sync.Mutex
	making map[listing]*making // guarded by mu; those being made now
}

// listing says which list is wanted, and in which form.
type listing struct {
	namespace string // "" for all
	all       bool   // deleted objects too
	old       bool   // for the Go client of the years before
}

// making is a body for all who wait for it. The first of them makes it.
type making struct {
	done chan struct{}
	body []byte  // set before done is closed; nil if making it failed
	next *making // guarded by sharing.mu; begins when this one is done; nil while nobody wants it
}

func newSharing() *sharing { return &sharing{making: map[listing]*making{}} }

// do returns the body that f makes, for this request or for one beside it. F must not return nil.
func (s *sharing) do(ctx context.Context, what listing, f func() []byte) ([]byte, error) {
	s.mu.Lock()
	before := s.making[what]
	if before == nil {
		own := &making{done: make(chan struct{})}
		s.making[what] = own
		s.mu.Unlock()
		return s.make(what, own, f), nil
	}
	next, first := before.next, before.next == nil
	if first {
		next = &making{done: make(chan struct{})}
		before.next = next
	}
	s.mu.Unlock()
	if first {
		<-before.done // is being computed and waits for nothing
		return s.make(what, next, f), nil
	}
	select {
	case <-next.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if next.body == nil {
		return f(), nil // whoever made it panicked
	}
	return next.body, nil
}

// make makes a body, and hands over to those who came meanwhile.
func (s *sharing) make(what listing, m *making, f func() []byte) []byte {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if m.next != nil {
			s.making[what] = m.next
		} else {
			delete(s.making, what)
		}
		close(m.done)
	}()
	m.body = f()
	return m.body
}
