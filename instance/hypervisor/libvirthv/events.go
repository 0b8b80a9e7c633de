//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// waiting is how many of libvirt's events may wait for us.
const waiting = 4096

// askTimeout bounds the question whose a domain is that an event tells of.
const askTimeout = 10 * time.Second

// settling is how long a libvirtd that was just started may take to take up its guests. Until then it tells of no guest
// that ends.
const settling = 5 * time.Second

// events turns libvirt's events into ours. Its callback runs on the event loop of the whole process and must not wait,
// so it only queues what happened.
type events struct {
	d     *Driver
	queue chan happening
	lost  atomic.Bool // the queue was full
	ended chan struct{}
}

type happening struct {
	id     string
	event  libvirt.DomainEventType
	detail int
}

func newEvents(d *Driver) *events {
	return &events{d: d, queue: make(chan happening, waiting), ended: make(chan struct{})}
}

// register has c tell of every domain, until undone.
func (e *events) register(c *libvirt.Connect) (undo func() error, err error) {
	id, err := c.DomainEventLifecycleRegister(nil, func(_ *libvirt.Connect, ld *libvirt.Domain, ev *libvirt.DomainEventLifecycle) {
		name, err := ld.GetName()
		if err != nil {
			return
		}
		id, found := strings.CutPrefix(name, domainName(""))
		if !found {
			return
		}
		select {
		case e.queue <- happening{id: id, event: ev.Event, detail: ev.Detail}:
		default:
			e.lost.Store(true)
		}
	})
	if err != nil {
		return nil, err
	}
	undoJobs, err := e.d.jobs.register(c)
	if err != nil {
		return nil, errors.Join(err, c.DomainEventDeregister(id))
	}
	return func() error { return errors.Join(c.DomainEventDeregister(id), undoJobs()) }, nil
}

// regained tells the watchers that they may have missed something: now, and once more when libvirtd has settled.
func (e *events) regained() {
	e.d.pauses.forget()
	e.d.jobs.tellAll()
	e.d.feed.Send(hypervisor.Event{})
	time.AfterFunc(settling, func() { e.d.feed.Send(hypervisor.Event{}) })
}

// run passes events on until ctx ends.
func (e *events) run(ctx context.Context) {
	defer close(e.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-e.queue:
			e.pass(ctx, h)
		}
		if e.lost.Swap(false) {
			e.d.feed.Send(hypervisor.Event{})
		}
	}
}

// pass tells the watchers of h, if its domain is ours and its power changed.
func (e *events) pass(ctx context.Context, h happening) {
	p, changed := powerAfter(h)
	if !changed || p == hypervisor.PowerPaused && e.d.pauses.silences(h.id) {
		return
	}
	is, known := e.d.own.recall(h.id)
	if !known && p != "" {
		is = e.ask(ctx, h.id)
	}
	if !is {
		return
	}
	if p == "" {
		e.d.own.forget(h.id)
	}
	e.d.feed.Send(hypervisor.Event{ID: h.id, Power: p})
}

// ask asks libvirt whether the domain id is ours. Without an answer it is taken not to be: the next look at everything
// tells.
func (e *events) ask(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer := make(chan whose, 1)
	err := e.d.link.call(ctx, "libvirthv.Watch", id, func(c *libvirt.Connect) error {
		w, err := e.d.own.ask(c, id)
		answer <- w
		return err
	})
	if err != nil {
		e.d.o.Logger.DebugContext(ctx, "an event is passed over", slog.String("domain", id), slog.Any("error", err))
		return false
	}
	return <-answer == ours
}

// powerAfter says which power a domain has after an event, and whether that is news.
func powerAfter(h happening) (hypervisor.Power, bool) {
	switch h.event {
	case libvirt.DOMAIN_EVENT_STARTED, libvirt.DOMAIN_EVENT_RESUMED:
		return hypervisor.PowerOn, true
	case libvirt.DOMAIN_EVENT_SUSPENDED, libvirt.DOMAIN_EVENT_PMSUSPENDED:
		return hypervisor.PowerPaused, true
	case libvirt.DOMAIN_EVENT_CRASHED:
		return hypervisor.PowerCrashed, true
	case libvirt.DOMAIN_EVENT_UNDEFINED:
		return "", true
	case libvirt.DOMAIN_EVENT_STOPPED:
		why := libvirt.DomainEventStoppedDetailType(h.detail)
		if why == libvirt.DOMAIN_EVENT_STOPPED_FAILED || why == libvirt.DOMAIN_EVENT_STOPPED_CRASHED {
			return hypervisor.PowerCrashed, true
		}
		return hypervisor.PowerOff, true
	case libvirt.DOMAIN_EVENT_DEFINED, libvirt.DOMAIN_EVENT_SHUTDOWN:
	}
	return "", false
}
