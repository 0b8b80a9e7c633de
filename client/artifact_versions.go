package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/shakenfist/shakenfist/api"
)

// SetMaxVersions says how many versions an artifact keeps, from 1 to 100; 0 means as many as new artifacts. Older ones go at once.
func (c *Client) SetMaxVersions(ctx context.Context, ref string, n int) error {
	var r api.MaxVersions
	if n != 0 {
		r.MaxVersions = &n
	}
	return c.call(ctx, http.MethodPost, api.PathArtifactVersions, []string{ref}, r, nil)
}

// DeleteArtifactVersion deletes a version of an artifact, and with the last one the artifact, which it returns.
func (c *Client) DeleteArtifactVersion(ctx context.Context, ref string, index int) (api.Artifact, error) {
	return c.changeArtifact(ctx, http.MethodDelete, api.PathArtifactVersion, ref, strconv.Itoa(index))
}

// ShareArtifact has every namespace use an artifact of the namespace system.
func (c *Client) ShareArtifact(ctx context.Context, ref string) (api.Artifact, error) {
	return c.changeArtifact(ctx, http.MethodPost, api.PathArtifactShare, ref)
}

// UnshareArtifact ends that. Instances keep what they have of it.
func (c *Client) UnshareArtifact(ctx context.Context, ref string) (api.Artifact, error) {
	return c.changeArtifact(ctx, http.MethodPost, api.PathArtifactUnshare, ref)
}

func (c *Client) changeArtifact(ctx context.Context, method, pattern string, args ...string) (api.Artifact, error) {
	var a api.Artifact
	err := c.call(ctx, method, pattern, args, nil, &a)
	return a, err
}
