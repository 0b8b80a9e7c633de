//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/fault"
)

const (
	firstConnect = 10 * time.Second       // how long Open waits for a connection
	firstBackoff = 100 * time.Millisecond // between attempts to connect; doubles
	lastBackoff  = 5 * time.Second
	lastGoodbye  = time.Second // how long a connection that is given up may take to close
	inFlight     = 64          // calls at a time, those that were given up and have not ended included

	keepAliveInterval = 5 // seconds; with the count, how soon a libvirtd that hangs is noticed
	keepAliveCount    = 3
)

// eventLoop starts libvirt's event loop. The library has one for the whole process, which must be there before the
// first connection and cannot be ended.
var eventLoop = sync.OnceValue(func() error {
	if err := libvirt.EventRegisterDefaultImpl(); err != nil {
		return err
	}
	go func() {
		for libvirt.EventRunDefaultImpl() == nil {
		}
	}()
	return nil
})

// A link is a connection to libvirt that is made again whenever it is lost.
type link struct {
	uri     string
	log     *slog.Logger
	setUp   func(c *libvirt.Connect) (undo func() error, err error) // makes a new connection ready
	regain  func()                                                  // a connection was made after another one
	slots   chan struct{}                                           // one for each call in flight
	broken  chan struct{}                                           // wakes keep
	decided chan struct{}                                           // closed when the first attempt to connect has ended
	ended   chan struct{}                                           // closed when keep has ended

	mu    sync.Mutex
	conn  *libvirt.Connect // guarded by mu; nil while there is none
	undo  func() error     // guarded by mu; of setUp
	cause error            // guarded by mu; why there is none
}

func newLink(o Options, setUp func(*libvirt.Connect) (func() error, error), regain func()) *link {
	return &link{
		uri: o.URI, log: o.Logger, setUp: setUp, regain: regain,
		slots: make(chan struct{}, inFlight), broken: make(chan struct{}, 1),
		decided: make(chan struct{}), ended: make(chan struct{}),
	}
}

// call runs f with the connection and returns its error as it is. It fails with fault.Unavailable if there is no
// connection, and when ctx ends first; f then ends by itself, and what it returns is dropped. So f must write to
// nothing that the caller looks at after a failure.
func (l *link) call(ctx context.Context, op, ref string, f func(c *libvirt.Connect) error) error {
	if err := ctx.Err(); err != nil {
		return fault.Because(op, fault.Unavailable, ref, err, "the call was given up before it began")
	}
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return fault.Because(op, fault.Unavailable, ref, ctx.Err(), "libvirt at %s is busy: %d calls wait for it", l.uri, inFlight)
	}
	c, err := l.borrow(op, ref)
	if err != nil {
		<-l.slots
		return err
	}
	done := make(chan error, 1)
	go func() {
		err := f(c)
		l.giveBack(c)
		<-l.slots
		done <- err
	}()
	select {
	case err := <-done:
		if isLost(err) {
			l.wake()
			return lost(op, ref, l.uri, err)
		}
		return err
	case <-ctx.Done():
		return fault.Because(op, fault.Unavailable, ref, ctx.Err(), "libvirt at %s did not answer in time; check libvirtd", l.uri)
	}
}

// borrow returns the connection, to be given back.
func (l *link) borrow(op, ref string) (*libvirt.Connect, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil, lost(op, ref, l.uri, l.cause)
	}
	if err := l.conn.Ref(); err != nil {
		return nil, lost(op, ref, l.uri, err)
	}
	return l.conn, nil
}

// giveBack drops a reference to c; the last one closes it.
func (l *link) giveBack(c *libvirt.Connect) {
	if _, err := c.Close(); err != nil {
		l.log.Debug("closing a connection to libvirt", slog.String("uri", l.uri), slog.Any("error", err))
	}
}

// wake makes keep look at the connection.
func (l *link) wake() {
	select {
	case l.broken <- struct{}{}:
	default: // it is awake
	}
}

// keep holds the connection up until ctx ends.
func (l *link) keep(ctx context.Context) {
	defer close(l.ended)
	defer l.drop(fault.New("libvirthv.Close", fault.Unavailable, "", "the driver is closed"))
	l.connect(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.broken:
		}
		l.mu.Lock()
		c := l.conn
		l.mu.Unlock()
		if c != nil {
			if alive, err := c.IsAlive(); alive && err == nil {
				continue
			}
			l.log.WarnContext(ctx, "lost the connection to libvirt", slog.String("uri", l.uri))
			l.drop(fault.New("libvirthv", fault.Unavailable, "", "the connection was lost"))
		}
		l.connect(ctx)
	}
}

// connect tries until there is a connection or ctx ends.
func (l *link) connect(ctx context.Context) {
	for wait := firstBackoff; ctx.Err() == nil; wait = min(2*wait, lastBackoff) {
		err := l.attempt(ctx)
		again := isClosed(l.decided)
		if !again {
			close(l.decided)
		}
		if err == nil {
			l.log.InfoContext(ctx, "connected to libvirt", slog.String("uri", l.uri))
			if again {
				l.regain()
			}
			return
		}
		l.log.WarnContext(ctx, "cannot connect to libvirt", slog.String("uri", l.uri), slog.Any("error", err))
		l.mu.Lock()
		l.cause = err
		l.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// attempt makes one connection. One that hangs is left to end by itself when ctx ends.
func (l *link) attempt(ctx context.Context) error {
	type result struct {
		c    *libvirt.Connect
		undo func() error
		err  error
	}
	made := make(chan result, 1)
	go func() {
		c, err := libvirt.NewConnect(l.uri)
		if err != nil {
			made <- result{err: err}
			return
		}
		undo, err := l.prepare(c)
		if err != nil {
			l.giveBack(c)
		}
		made <- result{c, undo, err}
	}()
	select {
	case r := <-made:
		if r.err != nil {
			return r.err
		}
		l.mu.Lock()
		l.conn, l.undo, l.cause = r.c, r.undo, nil
		l.mu.Unlock()
		return nil
	case <-ctx.Done():
		go func() {
			if r := <-made; r.err == nil {
				l.end(r.c, r.undo)
			}
		}()
		return ctx.Err()
	}
}

// prepare has the loss of c noticed. Libvirt's mock driver has no connection that could be lost.
func (l *link) prepare(c *libvirt.Connect) (undo func() error, err error) {
	undo, err = l.setUp(c)
	if err != nil {
		return nil, err
	}
	if err := c.RegisterCloseCallback(func(*libvirt.Connect, libvirt.ConnectCloseReason) { l.wake() }); err != nil {
		l.log.Debug("no close callback", slog.String("uri", l.uri), slog.Any("error", err))
	}
	if err := c.SetKeepAlive(keepAliveInterval, keepAliveCount); err != nil {
		l.log.Debug("no keepalive", slog.String("uri", l.uri), slog.Any("error", err))
	}
	return undo, nil
}

// drop gives the connection up because of cause. It does not wait for a libvirtd that hangs.
func (l *link) drop(cause error) {
	l.mu.Lock()
	c, undo := l.conn, l.undo
	l.conn, l.undo, l.cause = nil, nil, cause
	l.mu.Unlock()
	if c == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.end(c, undo)
	}()
	select {
	case <-done:
	case <-time.After(lastGoodbye):
	}
}

// end takes everything off c and closes it. Each callback holds the connection open until it is taken off.
func (l *link) end(c *libvirt.Connect, undo func() error) {
	if err := errors.Join(undo(), c.UnregisterCloseCallback()); err != nil {
		l.log.Debug("taking callbacks off a connection to libvirt", slog.String("uri", l.uri), slog.Any("error", err))
	}
	l.giveBack(c)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
