package client

import (
	"context"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
)

// UpdateLabel has a label, <name> or <namespace>/<name>, mean a blob, and returns its artifact. There need be no such label yet.
func (c *Client) UpdateLabel(ctx context.Context, name string, r api.UpdateLabel) (api.Artifact, error) {
	var a api.Artifact
	err := c.call(ctx, http.MethodPost, api.PathLabel, []string{name}, r, &a)
	return a, err
}

// GetLabel returns the artifact of a label.
func (c *Client) GetLabel(ctx context.Context, name string) (api.Artifact, error) {
	var a api.Artifact
	err := c.call(ctx, http.MethodGet, api.PathLabel, []string{name}, nil, &a)
	return a, err
}

// DeleteLabel deletes a label and returns its artifact. What it meant stays as long as something else refers to it.
func (c *Client) DeleteLabel(ctx context.Context, name string) (api.Artifact, error) {
	var a api.Artifact
	err := c.call(ctx, http.MethodDelete, api.PathLabel, []string{name}, nil, &a)
	return a, err
}
