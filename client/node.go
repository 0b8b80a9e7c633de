package client

import (
	"context"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
)

// ListNodes returns all nodes, for system only.
func (c *Client) ListNodes(ctx context.Context) ([]api.Node, error) {
	var l []api.Node
	err := c.call(ctx, http.MethodGet, api.PathNodes, nil, nil, &l)
	return l, err
}

// GetNode returns a node, for system only.
func (c *Client) GetNode(ctx context.Context, name string) (api.Node, error) {
	var n api.Node
	err := c.call(ctx, http.MethodGet, api.PathNode, []string{name}, nil, &n)
	return n, err
}

// NodeEvents returns what happened to a node, newest first, for system only.
func (c *Client) NodeEvents(ctx context.Context, name string, q api.EventQuery) ([]api.Event, error) {
	return c.events(ctx, api.PathNodeEvents, name, q)
}
