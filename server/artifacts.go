package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/artifact"
)

// artifactRoutes are the routes of artifacts.
func (s *server) artifactRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathArtifacts, who: anybody, handle: s.listArtifacts, args: nodeArgs,
			summary: "list artifacts that the caller may use", out: api.List[api.Artifact]{},
		},
		{
			method: http.MethodPost, pattern: api.PathArtifacts, who: anybody, handle: s.cacheArtifact, args: cacheArtifactArgs,
			summary: "fetch an image, or look for a newer version of it", out: api.Artifact{},
			errs: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
		},
		{
			method: http.MethodGet, pattern: api.PathArtifact, who: trusted, handle: s.onArtifact(s.showArtifact),
			summary: "show an artifact", out: api.Artifact{},
		},
		{
			method: http.MethodDelete, pattern: api.PathArtifact, who: trusted, handle: s.onOwnedArtifact(s.deleteArtifact),
			summary: "delete an artifact", out: either{api.Artifact{}, nil}, errs: []int{http.StatusConflict},
		},
		{
			method: http.MethodGet, pattern: api.PathArtifactEvents, who: trusted, handle: s.onArtifact(s.artifactEvents), args: eventArgs,
			summary: "list what happened to an artifact", out: api.List[api.Event]{},
		},
		{
			method: http.MethodGet, pattern: api.PathArtifactVersions, who: trusted, handle: s.onArtifact(s.artifactVersions),
			summary: "list the blobs of an artifact, oldest first", out: api.List[api.IndexedBlob]{},
		},
		{
			method: http.MethodPost, pattern: api.PathImages, who: anybody, handle: s.cacheArtifact, args: cacheArtifactArgs,
			summary: "fetch an image, as older clients say it", out: api.Artifact{},
			errs: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
		},
		{
			method: http.MethodGet, pattern: api.PathImages, who: anybody, handle: listImages, args: nodeArgs,
			summary: "an empty list, for older clients", out: api.List[api.Artifact]{},
		},
	}
}

var cacheArtifactArgs = []arg{
	{name: "url", kind: argText, must: true, doc: "of the image: http, https or oci, or a shorthand such as debian:12; for the system namespace also file", example: "debian:12"},
	{name: "shared", kind: argBool, doc: "for every namespace; only system can say so; absent: false"},
	{name: "namespace", kind: argText, empty: true, doc: "whose it shall be; absent: the caller's"},
}

// onArtifact finds the artifact in the path, by UUID or name, if it is shared or its namespace trusts the caller.
func (s *server) onArtifact(f func(*call, artifact.Artifact) (any, error)) handler {
	return func(c *call) (any, error) {
		a, err := s.cloud.Artifacts.Find(c.Context(), c.namespace, c.PathValue("ref"))
		if err != nil {
			return nil, err
		}
		return f(c, a)
	}
}

// onOwnedArtifact is onArtifact for changes, for which sharing is not enough.
func (s *server) onOwnedArtifact(f func(*call, artifact.Artifact) (any, error)) handler {
	return func(c *call) (any, error) {
		a, err := s.cloud.Artifacts.FindOwned(c.Context(), c.namespace, c.PathValue("ref"))
		if err != nil {
			return nil, err
		}
		return f(c, a)
	}
}

// listArtifacts lists what the caller may use. With a node it leaves out artifacts whose newest version is not there.
func (s *server) listArtifacts(c *call) (any, error) {
	views := api.List[api.Artifact]{}
	node := c.args.text("node")
	for _, a := range s.cloud.Artifacts.List(c.Context(), c.namespace) {
		if node == "" || s.newestIsOn(c, a, node) {
			views = append(views, s.artifactView(c, a))
		}
	}
	return views, nil
}

func (s *server) newestIsOn(c *call, a artifact.Artifact, node string) bool {
	v, ok := a.Newest()
	if !ok {
		return false
	}
	b, err := s.cloud.Blobs.Get(c.Context(), v.Blob)
	return err == nil && slices.Contains(b.Locations, node)
}

func (s *server) cacheArtifact(c *call) (any, error) {
	owner, err := s.target(c)
	if err != nil {
		return nil, err
	}
	a, err := s.cloud.Artifacts.Cache(c.Context(), artifact.Request{
		URL: c.args.text("url"), Namespace: owner, Shared: c.args.flag("shared", false),
	})
	if err != nil {
		return nil, err
	}
	return s.artifactView(c, a), nil
}

// listImages answers clients of the years when images were not artifacts. What they would read of one is not known any more.
func listImages(*call) (any, error) { return api.List[api.Artifact]{}, nil }

func (s *server) showArtifact(c *call, a artifact.Artifact) (any, error) {
	return s.artifactView(c, a), nil
}

func (s *server) deleteArtifact(c *call, a artifact.Artifact) (any, error) {
	if a.State == artifact.Deleted {
		return nil, nil
	}
	a, err := s.cloud.Artifacts.Delete(c.Context(), a.ID)
	if err != nil {
		return nil, err
	}
	return s.artifactView(c, a), nil
}

func (s *server) artifactEvents(c *call, a artifact.Artifact) (any, error) {
	return s.events(c, "artifact", a.ID)
}

func (s *server) artifactVersions(c *call, a artifact.Artifact) (any, error) {
	views := api.List[api.IndexedBlob]{}
	for _, v := range a.Versions {
		b, err := s.cloud.Blobs.Get(c.Context(), v.Blob)
		if err != nil {
			continue // its last reference has just gone
		}
		views = append(views, api.IndexedBlob{Blob: s.blobWithInstances(c, b), Index: v.Index})
	}
	return views, nil
}

func (s *server) artifactView(c *call, a artifact.Artifact) api.Artifact {
	v := api.Artifact{
		UUID: a.ID, Type: string(a.Type), SourceURL: s.sourceURL(c, a), Namespace: a.Namespace, Shared: a.Shared, MaxVersions: a.MaxVersions,
		Blobs: api.ByIndex[api.ArtifactBlob]{}, State: string(a.State), Metadata: s.cloud.Metadata.Of("artifact", a.ID), Version: api.ArtifactVersion,
	}
	for _, version := range a.Versions {
		b, err := s.cloud.Blobs.Get(c.Context(), version.Blob)
		if err != nil {
			continue // its last reference has just gone
		}
		v.Blobs[version.Index] = api.ArtifactBlob{
			UUID: b.ID, Size: b.Size, ReferenceCount: b.References, DependsOn: optional(b.DependsOn), Instances: s.users(c, b),
		}
	}
	if newest, ok := a.Newest(); ok {
		v.Index, v.BlobUUID = newest.Index, newest.Blob
	}
	return v
}

// sourceURL hides what may be secret in the source of a shared artifact from those who may only read it.
func (s *server) sourceURL(c *call, a artifact.Artifact) string {
	if s.cloud.Namespaces.Trusts(a.Namespace, c.namespace) || strings.HasPrefix(a.SourceURL, "sf://") { // of the latter we made all
		return a.SourceURL
	}
	u, err := url.Parse(a.SourceURL)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment, u.RawFragment = nil, "", "", ""
	return u.String()
}
