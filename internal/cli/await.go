package cli

import (
	"cmp"
	"context"
	"errors"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// late reports whether err is the end of the user's patience. What was waited for is printed even then: how else could it
// be found again?
func late(err error) bool { return errors.As(err, new(timeoutError)) }

// instanceMade waits until an instance is made, and prints it.
func (a *app) instanceMade(ctx context.Context, c *client.Client, i api.Instance) error {
	err := a.wait(ctx, "Instance "+i.Name, func(ctx context.Context, p *progress) error {
		last, err := c.WaitInstance(ctx, i.UUID, func(i api.Instance) { p.show(i.State, a.latest(ctx, c, p, i)) })
		if last.UUID != "" {
			i = last
		}
		return err
	})
	if err != nil && !late(err) {
		return err
	}
	if err := cmp.Or(a.instance(i), err); err != nil {
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

// lastTrouble returns what the newest event of an object says, with the error that it carries.
func lastTrouble(ctx context.Context, events func(context.Context, string, api.EventQuery) ([]api.Event, error), uuid string) string {
	l, err := events(ctx, uuid, api.EventQuery{Limit: 1})
	if err != nil || len(l) == 0 {
		return "its events say why"
	}
	for _, key := range []string{"error", "cause"} {
		if detail, ok := l[0].Extra[key].(string); ok {
			return l[0].Message + ": " + detail
		}
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
	if err != nil && !late(err) {
		return err
	}
	return cmp.Or(a.done(i, i.UUID), err)
}

// networkGone waits until a network is deleted, if the user asked for that: it may take as long as instances use it.
func (a *app) networkGone(ctx context.Context, c *client.Client, n api.Network) error {
	if !a.waiting.asked() {
		// Networks that nobody uses are in that state for a moment too.
		if l, err := c.NetworkInterfaces(ctx, n.UUID); err == nil && n.State == deleteWait && len(l) > 0 {
			a.tellf("Network %s is in use, and goes with the last interface on it.\n", harmless(n.Name))
		}
		return a.done(n, n.UUID)
	}
	err := a.wait(ctx, "Network "+n.Name, func(ctx context.Context, p *progress) error {
		last, err := c.WaitNetworkDeleted(ctx, n.UUID, func(n api.Network) { p.show(n.State, "") })
		if last.Name != "" {
			n = last
		} else if err == nil {
			n.State = last.State
		}
		return err
	})
	if err != nil && !late(err) {
		return err
	}
	return cmp.Or(a.done(n, n.UUID), err)
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
	if err != nil && !late(err) {
		return err
	}
	if err := cmp.Or(a.network(n), err); err != nil {
		return err
	}
	if n.State == api.StateError {
		return failed("Network %s failed: %s", n.Name, lastTrouble(ctx, c.NetworkEvents, n.UUID))
	}
	return nil
}

// artifactMade waits until an artifact can be used, if the user asked for that.
func (a *app) artifactMade(ctx context.Context, c *client.Client, v api.Artifact) error {
	if a.waiting.asked() {
		err := a.wait(ctx, "Artifact "+v.SourceURL, func(ctx context.Context, p *progress) error {
			last, err := c.WaitArtifact(ctx, v.UUID, func(v api.Artifact) { p.show(v.State, "") })
			if last.UUID != "" {
				v = last
			}
			return err
		})
		if err != nil {
			return err
		}
		if v.State != api.StateCreated {
			return failed("Artifact %s is in state %s: %s", v.SourceURL, v.State, lastTrouble(ctx, c.ArtifactEvents, v.UUID))
		}
	}
	return a.done(struct{}{}, v.UUID)
}
