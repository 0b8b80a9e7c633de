package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// maxRests bounds how often a download waits because a server wants to be left alone.
const maxRests = 3

// downloader gets one image from its source.
type downloader struct {
	m         *Manager
	id        string // the artifact
	namespace string // whose it is
	source    string // as it was asked for
	host      string // of the source
	client    *http.Client
	known     origin // of the version that is there; zero if there is none
	usable    bool   // there is a version, so nobody waits long for a source that is away
	window    window
	rests     int
	said      map[string]bool // what was being done when the source failed; each is told once
	begun     bool            // an event says so
	told      int64           // tenths of the content that events told of
}

// run gets what the source has. If that is new, it is stored and becomes part of o.
func (d *downloader) run(ctx context.Context, o *outcome) error {
	var next *conn
	odd := false
	for {
		err := d.whole(ctx, next, o)
		var a *anew
		switch {
		case !errors.As(err, &a):
			return err
		case a.odd && odd:
			if a.next != nil {
				a.next.close()
			}
			return a.error
		case a.odd:
			odd = true
			d.mention(ctx, a.error)
		}
		next = a.next
	}
}

// whole gets one content, from its first byte to its last. The answer c begins it; nil asks for one. It fails with an *anew if
// the source has to be asked for its beginning again.
func (d *downloader) whole(ctx context.Context, c *conn, o *outcome) error {
	if c == nil {
		var err error
		if c, err = d.first(ctx); c == nil {
			return err
		}
	}
	s := &stream{ctx: ctx, d: d, conn: c}
	defer func() { s.conn.close() }()
	if !d.begun {
		d.begun = true
		d.say(ctx, "image download started", map[string]any{"url": redact(c.from.URL), "bytes": c.size})
	}
	sum := c.sum
	if sum == (blob.Sum{}) {
		sum = d.listedSum(ctx, c.from.URL)
	}
	stored, err := d.m.Blobs.Ingest(ctx, blob.Content{Reader: s, Size: c.size, Modified: c.modified, Sum: sum})
	o.received = s.got
	switch {
	case err == nil:
		o.stored, o.from, o.sum = stored, c.from, sum
		return nil
	case s.end != nil && s.end != io.EOF: //nolint:errorlint // by stream
		return s.end
	case ctx.Err() == nil && fault.KindOf(err) == fault.Unavailable:
		return &anew{error: err, odd: true} // all came, and is not what it should be
	}
	return err
}

// first gets the beginning of the content, or nil if there is nothing new.
func (d *downloader) first(ctx context.Context) (*conn, error) {
	for {
		err := d.calm(ctx)
		if err == nil {
			var c *conn
			if c, err = d.connect(ctx, d.open); err == nil {
				return c, nil
			}
		}
		if !d.again(ctx, err) {
			return nil, err
		}
	}
}

// calm waits while the server wants to be left alone. Who has a version doesn't wait.
func (d *downloader) calm(ctx context.Context) error {
	pause := d.m.turns.silence(d.host)
	if pause == 0 {
		return nil
	}
	if d.usable {
		return fault.Because(opConnect, fault.Unavailable, "", busy(pause), "the server was not asked")
	}
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// again says whether a source is asked again after an error, and waits for the moment. It returns false if ctx ended.
func (d *downloader) again(ctx context.Context, err error) bool {
	pause, again := d.window.next(err)
	if b, ok := errors.AsType[busy](err); ok {
		d.m.turns.hush(d.host, time.Duration(b))
		d.rests++
		pause, again = max(pause, time.Duration(b)), d.rests <= maxRests
		d.window.extend(pause)
	}
	if !again || d.usable && d.window.best == 0 || ctx.Err() != nil {
		return false
	}
	d.mention(ctx, err)
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// mention records that the source is asked again, once for each thing that can fail: the event at the end has the whole story.
func (d *downloader) mention(ctx context.Context, err error) {
	var e *fault.Error
	if errors.As(err, &e) && !d.said[e.Op] {
		d.said[e.Op] = true
		d.say(ctx, "image source failed, trying again", map[string]any{"error": fault.Text(err)})
	}
}

// progress tells how far the content is, at every tenth of it and never twice.
func (d *downloader) progress(ctx context.Context, got, size int64) {
	if size <= 0 {
		return
	}
	if tenth := got / max(size/10, 1); tenth > d.told && tenth < 10 {
		d.told = tenth
		d.say(ctx, fmt.Sprintf("image download %d %%", 10*tenth), nil)
	}
}

// say records how it goes. An event that can't be recorded stops no download.
func (d *downloader) say(ctx context.Context, message string, extra map[string]any) {
	err := d.m.Events.Record(step.Named(ctx, "commit image progress", d.id), about(d.id), event.Status, message, extra)
	if err != nil {
		d.m.Log.DebugContext(ctx, "progress not recorded", slog.String("artifact", d.id), slog.Any("error", err))
	}
}
