package server

import (
	"io"
	"net/http"
	"slices"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
)

// blobRoutes are the routes of blobs.
func (s *server) blobRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathBlobs, who: admin, handle: s.listBlobs, args: nodeArgs,
			summary: "list blobs", out: api.List[api.Blob]{},
		},
		{
			method: http.MethodGet, pattern: api.PathBlob, who: anybody, handle: s.showBlob,
			summary: "show a blob", out: api.Blob{},
		},
		{
			method: http.MethodGet, pattern: api.PathBlobData, who: anybody, handle: s.blobData, args: blobDataArgs,
			summary: "read the content of a blob", out: media("application/octet-stream"),
		},
		{
			method: http.MethodGet, pattern: api.PathBlobChecksum, who: anybody, handle: s.findBlob,
			summary: "find a blob by a checksum of its content; null if there is none", out: either{api.Blob{}, nil},
		},
	}
}

func (s *server) listBlobs(c *call) (any, error) {
	views := api.List[api.Blob]{}
	node := c.args.text("node")
	for _, b := range s.cloud.Blobs.List(c.Context()) {
		if node == "" || slices.Contains(b.Locations, node) {
			views = append(views, s.blobView(b))
		}
	}
	return views, nil
}

// showBlob answers everybody: who knows the UUID may read the blob.
func (s *server) showBlob(c *call) (any, error) {
	b, err := s.cloud.Blobs.Get(c.Context(), c.PathValue("uuid"))
	if err != nil {
		return nil, err
	}
	return s.blobWithInstances(c, b), nil
}

// findBlob answers everybody: who has a checksum has, or had, the content.
func (s *server) findBlob(c *call) (any, error) {
	b, ok, err := s.cloud.Blobs.ByChecksum(c.Context(), c.PathValue("algorithm"), c.PathValue("hash"))
	if err != nil || !ok {
		return nil, err
	}
	return s.blobWithInstances(c, b), nil
}

var blobDataArgs = []arg{
	{name: "offset", kind: argInt, doc: "bytes to leave out at the beginning; absent: 0"},
	{name: "limit", kind: argInt, doc: "most bytes to read; absent or 0: to the end"},
}

// blobData answers with a part of the content. One that lies beyond the end is empty.
func (s *server) blobData(c *call) (any, error) {
	offset, limit := int64(c.args.integer("offset", 0)), int64(c.args.integer("limit", 0))
	switch {
	case offset < 0:
		return nil, invalid("offset is %d; use a number of bytes from the beginning, 0 or more", offset)
	case limit < 0:
		return nil, invalid("limit is %d; use a number of bytes, or 0 for all that there are", limit)
	}
	f, err := s.cloud.Blobs.Open(c.Context(), c.PathValue("uuid"))
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if offset = min(offset, size); err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, fault.Wrap("server.blobData", c.PathValue("uuid"), err)
	}
	rest := size - offset
	if limit > 0 {
		rest = min(rest, limit)
	}
	return stream{contentType: "application/octet-stream", size: rest, body: f}, nil
}

func (s *server) blobWithInstances(c *call, b blob.Blob) api.Blob {
	v := s.blobView(b)
	v.Instances = s.users(c, b)
	return v
}

// users returns the instances that use a blob, as far as they are the caller's to know of: an image that is shared must not
// tell tenants of each other.
func (s *server) users(c *call, b blob.Blob) api.List[string] {
	mine := api.List[string]{}
	for _, id := range b.Instances() {
		if i, err := s.cloud.Instances.Get(c.Context(), id); err == nil && (c.owned() == "" || i.Namespace == c.namespace) {
			mine = append(mine, id)
		}
	}
	return mine
}

func (s *server) blobView(b blob.Blob) api.Blob {
	v := api.Blob{
		UUID: b.ID, State: string(b.State), Size: b.Size, Modified: api.At(b.Modified), FetchedAt: api.At(b.FetchedAt),
		DependsOn: optional(b.DependsOn), Transcodes: b.Transcodes, Locations: b.Locations, Damaged: b.Damaged,
		ReferenceCount: b.References, SHA512: optional(b.SHA512), SHA256: optional(b.SHA256), SHA1: optional(b.SHA1),
		XXH128: optional(b.XXH128), Metadata: s.cloud.Metadata.Of("blob", b.ID), Version: api.BlobVersion, ImageInfo: imageInfo(b),
	}
	if !b.LastUsed.IsZero() {
		v.LastUsed = new(api.At(b.LastUsed))
	}
	return v
}
