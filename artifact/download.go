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

// downloader gets one image from its source.
type downloader struct {
	m      *Manager
	id     string // the artifact
	source string // as it was asked for
	known  origin // of the version that is there; zero if there is none
	window window
	begun  bool // an event says so
}

// try asks the source once. If it has new content, that is stored and becomes part of o.
func (d *downloader) try(ctx context.Context, o *outcome) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := &body{ctx: ctx, stall: d.m.Stall}
	defer func() {
		d.window.reached(b.got)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // why it was cut off says more than that it was
		}
	}()
	patience := min(d.m.Stall, d.window.left())
	answer := d.watchdog(cancel, patience)
	defer answer.Stop()
	url, err := d.m.resolve(ctx, d.source)
	if err != nil {
		return err
	}
	resp, err := d.m.ask(ctx, url, d.known)
	if err != nil {
		return err
	}
	answer.Stop()
	defer resp.Body.Close() //nolint:errcheck // only read
	if unchanged(resp, url, d.known) {
		return nil
	}
	b.watchdog = d.watchdog(cancel, b.stall)
	defer b.watchdog.Stop()
	b.reader, b.size = resp.Body, resp.ContentLength
	return d.store(ctx, resp, url, b, o)
}

// watchdog cuts an attempt off when the server is silent for too long.
func (d *downloader) watchdog(cancel context.CancelCauseFunc, limit time.Duration) *time.Timer {
	return time.AfterFunc(limit, func() {
		cancel(fault.New("fetch image", fault.Unavailable, d.id, "the server sent nothing for %s", limit.Round(time.Second)))
	})
}

func (d *downloader) store(ctx context.Context, resp *http.Response, url string, b *body, o *outcome) error {
	if err := refusal(resp); err != nil {
		return err
	}
	if !d.begun {
		d.begun = true
		d.say(ctx, "image download started", map[string]any{"url": redact(url), "bytes": b.size})
	}
	b.tell = func(percent int64) { d.say(ctx, fmt.Sprintf("image download %d %%", percent), nil) }
	modified, _ := http.ParseTime(resp.Header.Get("Last-Modified")) // zero if it isn't said, or not as it should be
	stored, err := d.m.Blobs.Ingest(ctx, blob.Content{Reader: b, Size: b.size, Modified: modified})
	if err != nil {
		return err
	}
	o.stored = stored
	o.from = origin{URL: url, ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified"), Length: b.size}
	return nil
}

// rest says that the source is asked again, and waits for the moment. It returns false if ctx ended.
func (d *downloader) rest(ctx context.Context, err error, pause time.Duration) bool {
	d.say(ctx, "image source failed, trying again", map[string]any{"error": fault.Text(err)})
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// say records how it goes. An event that can't be recorded stops no download.
func (d *downloader) say(ctx context.Context, message string, extra map[string]any) {
	err := d.m.Events.Record(step.Named(ctx, "commit image progress", d.id), about(d.id), event.Status, message, extra)
	if err != nil {
		d.m.Log.DebugContext(ctx, "progress not recorded", slog.String("artifact", d.id), slog.Any("error", err))
	}
}

// body reads a response, watches that it keeps coming, and tells how far it is.
type body struct {
	ctx      context.Context //nolint:containedctx // lives as long as one attempt
	reader   io.Reader
	watchdog *time.Timer
	stall    time.Duration
	size     int64 // bytes; -1 if unknown
	got      int64 // bytes so far
	tell     func(percent int64)
}

func (b *body) Read(p []byte) (int, error) {
	b.watchdog.Reset(b.stall)
	n, err := b.reader.Read(p)
	b.watchdog.Stop()
	before := b.got
	b.got += int64(n)
	if tenth := b.tenth(b.got); tenth > b.tenth(before) && tenth < 10 {
		b.tell(10 * tenth)
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	if b.ctx.Err() != nil {
		return n, context.Cause(b.ctx)
	}
	return n, fault.Because("fetch image", fault.Unavailable, "", err, "the connection broke after %s", b.progress())
}

func (b *body) tenth(got int64) int64 {
	if b.size <= 0 {
		return 0
	}
	return got / max(b.size/10, 1)
}

func (b *body) progress() string {
	if b.size < 0 {
		return fmt.Sprintf("%d bytes", b.got)
	}
	return fmt.Sprintf("%d of %d bytes", b.got, b.size)
}
