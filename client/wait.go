package client

import (
	"context"
	"errors"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// outage is how many looks in a row may find the server unavailable before a wait gives up. A daemon that is being
// restarted is back within them.
const outage = 30

// WaitInstance looks at an instance until it is made, or failed, or is deleted, and returns what it saw last: look at its
// State. see, unless nil, is told of every look. When ctx ends first it fails with fault.Unavailable, saying what the state is.
func (c *Client) WaitInstance(ctx context.Context, uuid string, see func(api.Instance)) (api.Instance, error) {
	return wait(ctx, c.s, see, func() (api.Instance, string, bool, error) {
		i, err := c.GetInstance(ctx, uuid)
		return i, i.State, !pending(i.State), err
	})
}

// WaitInstanceDeleted is WaitInstance until the instance is deleted. One that the server no longer knows is.
func (c *Client) WaitInstanceDeleted(ctx context.Context, uuid string, see func(api.Instance)) (api.Instance, error) {
	var last api.Instance
	return wait(ctx, c.s, see, func() (api.Instance, string, bool, error) {
		i, err := c.GetInstance(ctx, uuid)
		if errors.Is(err, fault.NotFound) {
			last.UUID, last.State = uuid, api.StateDeleted
			return last, last.State, true, nil
		}
		last = i
		return i, i.State, i.State == api.StateDeleted, err
	})
}

// WaitNetwork looks at a network until it is made, or failed, or is deleted, in the way of WaitInstance.
func (c *Client) WaitNetwork(ctx context.Context, uuid string, see func(api.Network)) (api.Network, error) {
	return wait(ctx, c.s, see, func() (api.Network, string, bool, error) {
		n, err := c.GetNetwork(ctx, uuid)
		return n, n.State, !pending(n.State), err
	})
}

// WaitNetworkDeleted is WaitNetwork until the network is deleted. One that the server no longer knows is.
func (c *Client) WaitNetworkDeleted(ctx context.Context, uuid string, see func(api.Network)) (api.Network, error) {
	var last api.Network
	return wait(ctx, c.s, see, func() (api.Network, string, bool, error) {
		n, err := c.GetNetwork(ctx, uuid)
		if errors.Is(err, fault.NotFound) {
			last.UUID, last.State = uuid, api.StateDeleted
			return last, last.State, true, nil
		}
		last = n
		return n, n.State, n.State == api.StateDeleted, err
	})
}

// WaitArtifact looks at an artifact until it is usable, or failed, or is deleted, in the way of WaitInstance.
func (c *Client) WaitArtifact(ctx context.Context, ref string, see func(api.Artifact)) (api.Artifact, error) {
	return wait(ctx, c.s, see, func() (api.Artifact, string, bool, error) {
		v, err := c.GetArtifact(ctx, ref)
		return v, v.State, !pending(v.State), err
	})
}

// wait calls look until it says that the wait is over. look returns the object, its state and whether it is what was
// waited for.
func wait[T any](ctx context.Context, s *session, see func(T), look func() (T, string, bool, error)) (T, error) {
	var last T
	state, failed := "", 0
	for {
		object, now, done, err := look()
		switch {
		case err == nil:
			last, state, failed = object, now, 0
			if see != nil {
				see(object)
			}
		case ctx.Err() != nil:
			return last, stillIn(ctx, state)
		case !errors.Is(err, fault.Unavailable):
			return last, err
		default:
			if failed++; failed >= outage {
				return last, err
			}
		}
		if done && err == nil {
			return last, nil
		}
		if sleep(ctx, s.o.Poll) != nil {
			return last, stillIn(ctx, state)
		}
	}
}

func stillIn(ctx context.Context, state string) error {
	if state == "" {
		return fault.Because("client.Wait", fault.Unavailable, "", context.Cause(ctx), "gave up waiting")
	}
	return fault.Because("client.Wait", fault.Unavailable, "", context.Cause(ctx), "gave up waiting, the state is still %s", state)
}

// pending reports whether an object in that state will get to another by itself. States like creating-error are on
// their way to error; preflight is shown by older servers only.
func pending(state string) bool {
	switch state {
	case api.StateInitial, api.StateCreating, "preflight":
		return true
	}
	return strings.HasSuffix(state, "-error")
}
