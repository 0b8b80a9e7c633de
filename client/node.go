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

// DeleteNode removes a node from the cloud for good, for system only, and returns it.
func (c *Client) DeleteNode(ctx context.Context, name string) (api.Node, error) {
	var n api.Node
	err := c.call(ctx, http.MethodDelete, api.PathNode, []string{name}, nil, &n)
	return n, err
}

// ProcessMetrics returns what the daemon's processes on a node use, for system only. For each process X there are
// process_cpu_time_X and process_age_X, both in seconds, and process_cpu_fraction_X, in CPUs.
func (c *Client) ProcessMetrics(ctx context.Context, name string) (map[string]float64, error) {
	var m map[string]float64
	err := c.call(ctx, http.MethodGet, api.PathNodeProcesses, []string{name}, nil, &m)
	return m, err
}

// NodeEvents returns what happened to a node, newest first, for system only.
func (c *Client) NodeEvents(ctx context.Context, name string, q api.EventQuery) ([]api.Event, error) {
	return c.events(ctx, api.PathNodeEvents, name, q)
}
