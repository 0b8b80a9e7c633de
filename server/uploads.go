package server

import (
	"net/http"
	"strconv"

	"github.com/shakenfist/shakenfist/api"
)

// uploadRoutes are the routes of what is sent piece by piece. Who knows the UUID of an upload may use it.
func (s *server) uploadRoutes() []route {
	return []route{
		{
			method: http.MethodPost, pattern: api.PathUploads, who: anybody, handle: s.createUpload,
			summary: "begin an upload", out: api.Upload{}, errs: []int{http.StatusInsufficientStorage},
		},
		{
			method: http.MethodPost, pattern: api.PathUpload, who: anybody, handle: s.appendUpload, raw: true,
			summary: "add bytes to the end of an upload; answers with how many there are now", out: int64(0),
			errs: []int{http.StatusConflict, http.StatusInsufficientStorage},
		},
		{
			method: http.MethodPost, pattern: api.PathUploadTruncate, who: anybody, handle: s.truncateUpload,
			summary: "cut an upload off after that many bytes", errs: []int{http.StatusConflict},
		},
	}
}

func (s *server) createUpload(c *call) (any, error) {
	u, err := s.cloud.Uploads.Create(c.Context(), c.namespace)
	if err != nil {
		return nil, err
	}
	return api.Upload{
		UUID: u.ID, Node: u.Node, CreatedAt: api.At(u.Created), State: string(u.State), Metadata: api.Object{}, Version: api.UploadVersion,
	}, nil
}

// appendUpload answers with a bare number, which clients compare with what they sent.
func (s *server) appendUpload(c *call) (any, error) {
	total, err := s.cloud.Uploads.Append(c.Context(), c.PathValue("uuid"), c.body)
	if err != nil {
		return nil, err
	}
	return total, nil
}

func (s *server) truncateUpload(c *call) (any, error) {
	offset, err := strconv.ParseInt(c.PathValue("offset"), 10, 64)
	if err != nil {
		return nil, invalid("offset %.80q is not an integer", c.PathValue("offset"))
	}
	return nil, s.cloud.Uploads.Truncate(c.Context(), c.PathValue("uuid"), offset)
}
