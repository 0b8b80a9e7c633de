package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/shakenfist/shakenfist/api"
)

// BlobData returns the content of a blob from a byte on, at most limit bytes of it; 0 means all. Past the end there is
// nothing, without an error. The caller closes it. See DownloadBlob for the whole of it.
func (c *Client) BlobData(ctx context.Context, uuid string, offset, limit int64) (io.ReadCloser, error) {
	q := url.Values{}
	if offset != 0 {
		q.Set("offset", strconv.FormatInt(offset, 10))
	}
	if limit != 0 {
		q.Set("limit", strconv.FormatInt(limit, 10))
	}
	answer, err := c.open(ctx, http.MethodGet, api.PathBlobData, []string{uuid}, q, nil)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}
