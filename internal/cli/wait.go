package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// progress is a line on a terminal that says how long something has been going on.
type progress struct {
	w     io.Writer // nil shows nothing
	what  string
	start time.Time
}

func (a *app) progress(what string) *progress {
	p := &progress{what: what, start: time.Now()}
	if a.tty(a.err) {
		p.w = a.err
	}
	return p
}

// show replaces the line.
func (p *progress) show(state, note string) {
	if p.w == nil {
		return
	}
	line := fmt.Sprintf("%s is %s, %v", p.what, state, time.Since(p.start).Round(time.Second))
	if note != "" {
		line += ": " + note
	}
	const width = 79 // of the narrowest terminal in use: a line that wraps can't be replaced
	line = strings.ReplaceAll(harmless(line), "\n", " ")
	if runes := []rune(line); len(runes) > width {
		line = string(runes[:width-1]) + "…"
	}
	p.replace(line)
}

// clear removes the line.
func (p *progress) clear() {
	if p.w != nil {
		p.replace("")
	}
}

func (p *progress) replace(line string) {
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s", line) // if a terminal goes away nobody is watching
}

// wait calls f with a context that lasts as long as the strategy's patience. Running out of patience is no error: what
// was asked for goes on, which stderr is told.
func (a *app) wait(ctx context.Context, what string, f func(ctx context.Context, p *progress) error) error {
	strategy, err := a.patience()
	if err != nil || strategy == client.Continue {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, strategy.Patience())
	defer cancel()
	p := a.progress(what)
	err = f(limited, p)
	p.clear()
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		a.tellf("%s is not done after %v; it goes on. Use --async block to wait longer.\n", what, strategy.Patience())
		return nil
	}
	return err
}

// instanceMade waits until an instance is made, and prints it.
func (a *app) instanceMade(ctx context.Context, c *client.Client, i api.Instance) error {
	err := a.wait(ctx, "Instance "+i.Name, func(ctx context.Context, p *progress) error {
		last, err := c.WaitInstance(ctx, i.UUID, func(i api.Instance) { p.show(i.State, a.latest(ctx, c, p, i)) })
		if last.UUID != "" {
			i = last
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := a.instance(i); err != nil {
		return err
	}
	switch i.State {
	case api.StateError:
		return failed("Instance %s failed: %s", i.Name, reason(i.ErrorMessage))
	case api.StateDeleted:
		return failed("Instance %s was deleted while it was being made", i.Name)
	}
	return nil
}

func reason(message *string) string {
	if message == nil || *message == "" {
		return "the server does not say why; see its events"
	}
	return *message
}

// latest returns the text of an instance's newest event, if there is somebody to show it to: while an image is being
// fetched it says how much of it is there.
func (a *app) latest(ctx context.Context, c *client.Client, p *progress, i api.Instance) string {
	if p.w == nil {
		return ""
	}
	l, err := c.InstanceEvents(ctx, i.UUID, api.EventQuery{Limit: 1})
	if err != nil || len(l) == 0 {
		return "" // what was waited for is not affected
	}
	return l[0].Message
}

// instanceGone waits until an instance is deleted, and prints it as JSON if that is the format.
func (a *app) instanceGone(ctx context.Context, c *client.Client, i api.Instance) error {
	err := a.wait(ctx, "Instance "+i.Name, func(ctx context.Context, p *progress) error {
		last, err := c.WaitInstanceDeleted(ctx, i.UUID, func(i api.Instance) { p.show(i.State, "") })
		if last.Name != "" {
			i = last
		} else if err == nil {
			i.State = last.State
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.done(i, i.UUID)
}

// networkMade waits until a network is made, and prints it.
func (a *app) networkMade(ctx context.Context, c *client.Client, n api.Network) error {
	err := a.wait(ctx, "Network "+n.Name, func(ctx context.Context, p *progress) error {
		last, err := c.WaitNetwork(ctx, n.UUID, func(n api.Network) { p.show(n.State, "") })
		if last.UUID != "" {
			n = last
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := a.network(n); err != nil {
		return err
	}
	if n.State == api.StateError {
		return failed("Network %s failed; sf-client network events %s says why", n.Name, n.UUID)
	}
	return nil
}
