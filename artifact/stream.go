package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/shakenfist/shakenfist/fault"
)

// stream is one content of a source, read over as many connections as it takes.
type stream struct {
	ctx  context.Context //nolint:containedctx // lives as long as one content is read
	d    *downloader
	conn *conn // the last one, which may be closed
	got  int64 // bytes so far
	end  error // io.EOF if it is whole, *anew if it has to be read from its beginning; nil while it goes on
}

// Read reads on, if need be from another connection.
func (s *stream) Read(p []byte) (int, error) {
	for s.end == nil {
		n, err := s.conn.Read(p)
		s.got += int64(n)
		s.d.progress(s.ctx, s.got, s.conn.size)
		if err = s.judge(err); err != nil {
			s.end = s.goOn(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, s.end
}

// judge says what an error of a connection, or the end of what it sends, means for the content.
func (s *stream) judge(err error) error {
	size := s.conn.size
	switch {
	case size >= 0 && s.got > size:
		return &anew{odd: true, error: fault.New(opCheck, fault.Unavailable, "", "the server sent more than the %d bytes it spoke of", size)}
	case err == nil, err == io.EOF && (size < 0 || s.got == size): //nolint:errorlint // readers return it bare
		return err
	}
	if _, known := errors.AsType[*fault.Error](err); known {
		return err
	}
	return fault.Because(opRead, fault.Unavailable, "", err, "the connection broke after %s", s.progress())
}

func (s *stream) progress() string {
	if s.conn.size < 0 {
		return fmt.Sprintf("%d bytes", s.got)
	}
	return fmt.Sprintf("%d of %d bytes", s.got, s.conn.size)
}

// goOn connects again after an error, where the content broke off. It returns why it ended if that can't be.
func (s *stream) goOn(err error) error {
	s.conn.close()
	for {
		s.d.window.reached(s.got)
		var a *anew
		switch {
		case err == io.EOF, errors.As(err, &a): //nolint:errorlint // by judge
			return err
		case !s.d.again(s.ctx, err):
			return err
		case s.got == 0 || !s.conn.resumable:
			return &anew{error: err}
		}
		var c *conn
		c, err = s.d.connect(s.ctx, func(ctx context.Context, _ func()) (*offer, error) {
			return resume(ctx, s.d.client, s.conn.offer, s.got)
		})
		if c != nil {
			s.conn = c
			return nil
		}
	}
}

// conn is one answer of a source while it is read. A source that is silent for too long is cut off.
type conn struct {
	*offer

	ctx      context.Context //nolint:containedctx // lives as long as one answer
	cancel   context.CancelCauseFunc
	watchdog *time.Timer
	stall    time.Duration
}

// connect opens an answer, which has patience to begin. It returns nil if there is nothing new.
func (d *downloader) connect(ctx context.Context, open func(ctx context.Context, alive func()) (*offer, error)) (*conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	silent := func(limit time.Duration) func() {
		return func() {
			cancel(fault.New(opRead, fault.Unavailable, "", "the server sent nothing for %s", limit.Round(time.Second)))
		}
	}
	d.window.attempts++
	patience := min(d.m.Stall, d.window.left())
	watchdog := time.AfterFunc(patience, silent(patience))
	o, err := open(ctx, func() { watchdog.Reset(patience) })
	watchdog.Stop()
	if o == nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // why it was cut off says more than that it was
		}
		cancel(nil)
		return nil, err
	}
	c := &conn{offer: o, ctx: ctx, cancel: cancel, stall: d.m.Stall, watchdog: time.AfterFunc(d.m.Stall, silent(d.m.Stall))}
	c.watchdog.Stop()
	if a, ok := err.(*anew); ok { //nolint:errorlint // as resume returns it
		a.next = c
		return nil, a
	}
	return c, nil
}

// Read reads what the source sends.
func (c *conn) Read(p []byte) (int, error) {
	c.watchdog.Reset(c.stall)
	n, err := c.reader.Read(p)
	c.watchdog.Stop()
	if err != nil && err != io.EOF && c.ctx.Err() != nil { //nolint:errorlint // readers return it bare
		err = context.Cause(c.ctx)
	}
	return n, err
}

func (c *conn) close() {
	c.watchdog.Stop()
	c.cancel(nil)
	_ = c.reader.Close() // only read
}
