package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/shakenfist/shakenfist/api"
)

// bytesBody is the body of a request that is no JSON.
type bytesBody []byte

// CreateUpload begins an upload.
func (c *Client) CreateUpload(ctx context.Context) (api.Upload, error) {
	var u api.Upload
	err := c.call(ctx, http.MethodPost, api.PathUploads, nil, nil, &u)
	return u, err
}

// AppendUpload adds bytes to the end of an upload and returns how many there are now. Adding none is how to ask. See SendUpload
// for the whole of a file.
func (c *Client) AppendUpload(ctx context.Context, uuid string, content []byte) (total int64, err error) {
	err = c.call(ctx, http.MethodPost, api.PathUpload, []string{uuid}, bytesBody(content), &total)
	return total, err
}

// TruncateUpload cuts an upload off after size bytes.
func (c *Client) TruncateUpload(ctx context.Context, uuid string, size int64) error {
	return c.call(ctx, http.MethodPost, api.PathUploadTruncate, []string{uuid, strconv.FormatInt(size, 10)}, nil, nil)
}

// UploadArtifact makes an upload, or a blob, an artifact or its next version, and returns the artifact. The upload is gone then.
func (c *Client) UploadArtifact(ctx context.Context, name string, r api.UploadArtifact) (api.Artifact, error) {
	if r.Namespace == nil {
		r.Namespace = c.namespace
	}
	var a api.Artifact
	err := c.call(ctx, http.MethodPost, api.PathArtifactUpload, []string{name}, r, &a)
	return a, err
}
