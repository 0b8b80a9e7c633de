//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"strings"
	"sync"

	"libvirt.org/go/libvirt"
)

// jobs tells those who wait for the merges of a domain that something about them has changed. The zero value is ready.
type jobs struct {
	mu        sync.Mutex
	listeners map[string]chan struct{} // guarded by mu; by ID
}

// listen returns a channel that gets a value when something has changed since the last, until forget is called. A domain
// has one listener at a time.
func (j *jobs) listen(id string) (changed <-chan struct{}, forget func()) {
	c := make(chan struct{}, 1)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.listeners == nil {
		j.listeners = map[string]chan struct{}{}
	}
	j.listeners[id] = c
	return c, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.listeners, id)
	}
}

func (j *jobs) tell(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case j.listeners[id] <- struct{}{}:
	default: // nobody listens, or it knows already
	}
}

// tellAll is tell for every domain: events may have been missed.
func (j *jobs) tellAll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.listeners {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// register has c tell of merges, until undone.
func (j *jobs) register(c *libvirt.Connect) (undo func() error, err error) {
	id, err := c.DomainEventBlockJob2Register(nil, func(_ *libvirt.Connect, ld *libvirt.Domain, _ *libvirt.DomainEventBlockJob) {
		if name, err := ld.GetName(); err == nil {
			if id, ours := strings.CutPrefix(name, domainName("")); ours {
				j.tell(id)
			}
		}
	})
	return func() error { return c.DomainEventDeregister(id) }, err
}
