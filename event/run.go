package event

import (
	"context"
	"log/slog"
	"time"

	"github.com/shakenfist/shakenfist/event/segment"
)

// Between the tries of what failed.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// Run opens the files and keeps moving events there, until ctx ends. It looks into the store once after its start, and from
// then on only when rows were committed through Store. While the disk is full, events stay in the store.
func (r *Recorder) Run(ctx context.Context) {
	if r.deps.Dir == "" {
		return
	}
	c := chore{Recorder: r}
	if !c.open(ctx) {
		return
	}
	defer c.close(ctx)
	r.rows.Add(1) // an earlier process may have left some
	c.soon()
	for c.wait(ctx) {
		c.settle(ctx, c.tidy(ctx))
	}
}

// chore is what one Run has in mind.
type chore struct {
	*Recorder
	at    time.Time     // when to tidy; zero if nothing was written since
	pause time.Duration // until the next try; 0 while all is well
}

func (c *chore) open(ctx context.Context) bool {
	for {
		files, err := segment.Open(ctx, segment.Options{Dir: c.deps.Dir, Series: c.series(), Budget: c.deps.Budget, Log: c.deps.Log})
		if err == nil {
			c.files = files
			close(c.opened)
			c.recovered(ctx)
			return true
		}
		c.failed(ctx, err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(c.pause):
		}
	}
}

func (c *chore) close(ctx context.Context) {
	// What is not safe on disk can wait no longer.
	err := c.files.Sync(context.WithoutCancel(ctx))
	if err == nil {
		err = c.files.Close()
	} else {
		_ = c.files.Close()
	}
	if err != nil {
		c.deps.Log.ErrorContext(ctx, "the files of events could not be closed", slog.Any("error", err))
	}
}

// soon sees to it that what was written is tidied up when the delay has passed.
func (c *chore) soon() {
	if c.at.IsZero() {
		c.at = time.Now().Add(c.deps.Delay)
	}
}

// wait returns when it is time to tidy; false when ctx has ended.
func (c *chore) wait(ctx context.Context) bool {
	for {
		timer := c.timer()
		select {
		case <-ctx.Done():
			return false
		case <-c.wake:
			c.soon()
			if c.pause == 0 && c.rows.Load() >= batch {
				return true
			}
		case <-timer:
			return true
		}
	}
}

// timer fires when rows have waited long enough, or a file is old enough.
func (c *chore) timer() <-chan time.Time {
	next := c.at
	if due, ok := c.files.Due(); ok && c.pause == 0 && (next.IsZero() || due.Before(next)) {
		next = due
	}
	if next.IsZero() {
		return nil
	}
	return time.After(time.Until(next))
}

// tidy moves rows, if there are any, sees everything safe on disk and removes what is too old.
func (c *chore) tidy(ctx context.Context) error {
	var err error
	if n := c.rows.Swap(0); n > 0 {
		if err = c.move(ctx); err != nil {
			c.rows.Add(n)
		}
	}
	if err == nil {
		err = c.files.Sync(ctx)
	}
	// It makes room, so it comes all the more when something failed for want of it.
	if e := c.retire(ctx); err == nil {
		err = e
	}
	return err
}

// settle decides what comes after tidy.
func (c *chore) settle(ctx context.Context, err error) {
	c.at = time.Time{}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		c.failed(ctx, err)
		c.at = time.Now().Add(c.pause)
	default:
		c.recovered(ctx)
	}
}

func (c *chore) failed(ctx context.Context, err error) {
	if c.pause == 0 {
		c.deps.Log.ErrorContext(ctx, "events cannot be moved to their files; they stay in the store until that works", slog.Any("error", err))
	}
	c.pause = min(lastPause, max(firstPause, 2*c.pause))
}

func (c *chore) recovered(ctx context.Context) {
	if c.pause > 0 {
		c.deps.Log.InfoContext(ctx, "events are moved to their files again")
	}
	c.pause = 0
}

// retire removes files, and says so in an event of this node.
func (c *chore) retire(ctx context.Context) error {
	gone, err := c.files.Retire(ctx)
	for _, g := range gone {
		if !g.ForRoom && (g.Series == string(Prune) || g.Series == forgottenSeries) {
			continue // or there would be no end to it
		}
		message, extra := told(g)
		if e := c.Record(ctx, Object{Kind: "node", ID: c.node}, Prune, message, extra); e != nil {
			c.deps.Log.WarnContext(ctx, message, slog.Any("extra", extra), slog.Any("error", e)) // somebody should know
		}
	}
	return err
}

func told(g segment.Removed) (message string, extra map[string]any) {
	extra = map[string]any{"bytes": g.Bytes}
	if g.Series == "" {
		return "removed a damaged file of events for want of room", extra
	}
	extra["type"], extra["events"] = g.Series, g.Records
	extra["oldest"], extra["newest"] = g.Oldest.UTC().Format(time.RFC3339), g.Newest.UTC().Format(time.RFC3339)
	if g.ForRoom {
		return "removed events for want of room", extra
	}
	return "removed events that reached their age", extra
}
