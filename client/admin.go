package client

import (
	"context"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
)

// ListLocks returns what the cloud's daemons hold and work on, by path, for system only.
func (c *Client) ListLocks(ctx context.Context) (map[string]api.Lock, error) {
	var l map[string]api.Lock
	err := c.call(ctx, http.MethodGet, api.PathLocks, nil, nil, &l)
	return l, err
}

// CACertificate returns the certificate of the authority that signed the cloud's own, in PEM; "" if it has none.
func (c *Client) CACertificate(ctx context.Context) (string, error) {
	answer, err := c.open(ctx, http.MethodGet, api.PathCACert, nil, nil, nil)
	if err != nil {
		return "", err
	}
	pem, err := readAll(answer, maxPage)
	return string(pem), err
}

// Resources returns what the cloud can still give, for system only.
func (c *Client) Resources(ctx context.Context) (api.Resources, error) {
	var r api.Resources
	err := c.call(ctx, http.MethodGet, api.PathResources, nil, nil, &r)
	return r, err
}
