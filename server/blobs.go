package server

import (
	"net/http"
	"slices"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/blob"
)

// blobRoutes are the routes of blobs.
func (s *server) blobRoutes() []route {
	return []route{
		{method: http.MethodGet, pattern: api.PathBlobs, who: admin, handle: s.listBlobs, args: nodeArgs},
		{method: http.MethodGet, pattern: api.PathBlob, who: anybody, handle: s.showBlob},
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
	return api.Blob{
		UUID: b.ID, State: string(b.State), Size: b.Size, Modified: api.At(b.Modified), FetchedAt: api.At(b.FetchedAt),
		DependsOn: optional(b.DependsOn), Locations: b.Locations, ReferenceCount: b.References, SHA512: optional(b.SHA512),
		Metadata: s.cloud.Metadata.Of("blob", b.ID), Version: api.BlobVersion, ImageInfo: imageInfo(b),
	}
}
