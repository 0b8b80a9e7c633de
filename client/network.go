package client

import (
	"context"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
)

// ListNetworks returns the networks of the namespace, those of all namespaces for system; with all, deleted ones too.
func (c *Client) ListNetworks(ctx context.Context, all bool) ([]api.Network, error) {
	var l []api.Network
	err := c.call(ctx, http.MethodGet, api.PathNetworks, nil, api.ListQuery{All: all}, &l)
	return l, err
}

// GetNetwork returns a network. By UUID, deleted ones are found for a while too.
func (c *Client) GetNetwork(ctx context.Context, ref string) (api.Network, error) {
	var n api.Network
	err := c.call(ctx, http.MethodGet, api.PathNetwork, []string{ref}, c.within(), &n)
	return n, err
}

// CreateNetwork has a network made and returns it at once, in state initial; see WaitNetwork.
func (c *Client) CreateNetwork(ctx context.Context, r api.CreateNetwork) (api.Network, error) {
	if r.Namespace == nil {
		r.Namespace = c.namespace
	}
	var n api.Network
	err := c.call(ctx, http.MethodPost, api.PathNetworks, nil, r, &n)
	return n, err
}

// DeleteNetwork has a network deleted, which happens when its last interface is gone. It returns the network, or the zero
// Network if it was deleted already.
func (c *Client) DeleteNetwork(ctx context.Context, ref string) (api.Network, error) {
	var n api.Network
	err := c.call(ctx, http.MethodDelete, api.PathNetwork, []string{ref}, c.within(), &n)
	return n, err
}

// NetworkEvents returns what happened to a network, newest first.
func (c *Client) NetworkEvents(ctx context.Context, ref string, q api.EventQuery) ([]api.Event, error) {
	return c.events(ctx, api.PathNetworkEvents, ref, q)
}

// NetworkInterfaces returns the interfaces on a network.
func (c *Client) NetworkInterfaces(ctx context.Context, ref string) ([]api.Interface, error) {
	var l []api.Interface
	err := c.call(ctx, http.MethodGet, api.PathNetworkInterfaces, []string{ref}, nil, &l)
	return l, err
}

// NetworkAddresses returns the addresses of a network that are not free.
func (c *Client) NetworkAddresses(ctx context.Context, ref string) ([]api.Reservation, error) {
	var l []api.Reservation
	err := c.call(ctx, http.MethodGet, api.PathNetworkAddresses, []string{ref}, nil, &l)
	return l, err
}

// GetInterface returns an interface.
func (c *Client) GetInterface(ctx context.Context, uuid string) (api.Interface, error) {
	var i api.Interface
	err := c.call(ctx, http.MethodGet, api.PathInterface, []string{uuid}, nil, &i)
	return i, err
}
