package client

import (
	"context"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
)

// ListArtifacts returns the artifacts the namespace may see: its own, those of namespaces that trust it, shared ones.
// With a node, only those whose newest version is there.
func (c *Client) ListArtifacts(ctx context.Context, node string) ([]api.Artifact, error) {
	var l []api.Artifact
	err := c.call(ctx, http.MethodGet, api.PathArtifacts, nil, onNode(node), &l)
	return l, err
}

// GetArtifact returns an artifact with its versions.
func (c *Client) GetArtifact(ctx context.Context, ref string) (api.Artifact, error) {
	var a api.Artifact
	err := c.call(ctx, http.MethodGet, api.PathArtifact, []string{ref}, nil, &a)
	return a, err
}

// CreateArtifact has an image fetched, again if it changed at its origin, and returns the artifact at once.
func (c *Client) CreateArtifact(ctx context.Context, r api.CreateArtifact) (api.Artifact, error) {
	if r.Namespace == nil {
		r.Namespace = c.namespace
	}
	var a api.Artifact
	err := c.call(ctx, http.MethodPost, api.PathArtifacts, nil, r, &a)
	return a, err
}

// DeleteArtifact deletes an artifact. It returns the artifact, or the zero Artifact if it was deleted already.
func (c *Client) DeleteArtifact(ctx context.Context, ref string) (api.Artifact, error) {
	var a api.Artifact
	err := c.call(ctx, http.MethodDelete, api.PathArtifact, []string{ref}, nil, &a)
	return a, err
}

// ArtifactEvents returns what happened to an artifact, newest first.
func (c *Client) ArtifactEvents(ctx context.Context, ref string, q api.EventQuery) ([]api.Event, error) {
	return c.events(ctx, api.PathArtifactEvents, ref, q)
}

// ArtifactVersions returns the blobs of an artifact, oldest first.
func (c *Client) ArtifactVersions(ctx context.Context, ref string) ([]api.IndexedBlob, error) {
	var l []api.IndexedBlob
	err := c.call(ctx, http.MethodGet, api.PathArtifactVersions, []string{ref}, nil, &l)
	return l, err
}

// ListBlobs returns all blobs, for system only. With a node, only those that are there.
func (c *Client) ListBlobs(ctx context.Context, node string) ([]api.Blob, error) {
	var l []api.Blob
	err := c.call(ctx, http.MethodGet, api.PathBlobs, nil, onNode(node), &l)
	return l, err
}

// GetBlob returns a blob.
func (c *Client) GetBlob(ctx context.Context, uuid string) (api.Blob, error) {
	var b api.Blob
	err := c.call(ctx, http.MethodGet, api.PathBlob, []string{uuid}, nil, &b)
	return b, err
}

// FindBlob returns the blob whose content has a checksum, made by sha1, sha256, sha512 or xxh128, and whether there is one.
func (c *Client) FindBlob(ctx context.Context, algorithm, hash string) (b api.Blob, ok bool, err error) {
	var found *api.Blob
	if err := c.call(ctx, http.MethodGet, api.PathBlobChecksum, []string{algorithm, hash}, nil, &found); err != nil || found == nil {
		return b, false, err
	}
	return *found, true, nil
}

func onNode(node string) api.NodeQuery {
	if node == "" {
		return api.NodeQuery{}
	}
	return api.NodeQuery{Node: &node}
}
