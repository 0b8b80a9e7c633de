package server

import (
	"encoding/json"
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/metadata"
)

// noted is a kind of object that has metadata: where, and who may read and write it.
type noted struct {
	kind          string // of package metadata
	words         string // what the documentation calls one
	path, keyPath string
	reads, writes who
	find, own     func(*call) (id string, err error) // the object in the path, for those who read and for those who write
}

// metadataRoutes are the routes of metadata, the same four for every kind of object.
func (s *server) metadataRoutes() []route {
	var all []route
	for _, n := range s.noted() {
		all = append(all,
			route{
				method: http.MethodGet, pattern: n.path, who: n.reads, handle: s.showMetadata(n),
				summary: "show what is noted on " + n.words, out: api.Object{},
			},
			route{
				method: http.MethodPost, pattern: n.path, who: n.writes, handle: s.postMetadata(n), args: noteArgs,
				summary: "note something on " + n.words,
			},
			route{
				method: http.MethodPut, pattern: n.keyPath, who: n.writes, handle: s.putMetadata(n), args: valueArgs,
				summary: "note something on " + n.words + ", under the key in the path",
			},
			route{
				method: http.MethodDelete, pattern: n.keyPath, who: n.writes, handle: s.deleteMetadata(n),
				summary: "forget a note on " + n.words,
			},
		)
	}
	return all
}

var (
	noteArgs = []arg{
		{name: "key", kind: argText, must: true, missing: "no key specified", doc: "under which it is noted", example: "colour"}, valueArgs[0],
	}
	valueArgs = []arg{{
		name: "value", kind: argAny, must: true, missing: "no value specified", example: "red",
		doc: `any JSON but null, false, 0, "", [] and {}; for the key tags of an instance a list, for affinity an object of whole numbers`,
	}}
)

func (s *server) noted() []noted {
	return []noted{
		{metadata.Artifact, "an artifact", api.PathArtifactMetadata, api.PathArtifactMetadataKey, trusted, trusted, s.artifactID, s.ownArtifactID},
		{metadata.Blob, "a blob", api.PathBlobMetadata, api.PathBlobMetadataKey, anybody, admin, s.blobID, s.blobID},
		{metadata.Instance, "an instance", api.PathInstanceMetadata, api.PathInstanceMetadataKey, owner, owner, s.instanceID, s.instanceID},
		{metadata.Interface, "an interface", api.PathInterfaceMetadata, api.PathInterfaceMetadataKey, owner, owner, s.interfaceID, s.interfaceID},
		{metadata.Namespace, "a namespace", api.PathNamespaceMetadata, api.PathNamespaceMetadataKey, trusted, trusted, s.namespaceID, s.namespaceID},
		{metadata.Network, "a network", api.PathNetworkMetadata, api.PathNetworkMetadataKey, owner, owner, s.networkID, s.networkID},
		{metadata.Node, "a node", api.PathNodeMetadata, api.PathNodeMetadataKey, admin, admin, s.nodeID, s.nodeID},
	}
}

func (s *server) artifactID(c *call) (string, error) {
	a, err := s.cloud.Artifacts.Find(c.Context(), c.namespace, c.PathValue("ref"))
	return a.ID, err
}

// ownArtifactID is artifactID for changes, for which sharing is not enough.
func (s *server) ownArtifactID(c *call) (string, error) {
	a, err := s.cloud.Artifacts.FindOwned(c.Context(), c.namespace, c.PathValue("ref"))
	return a.ID, err
}

func (s *server) blobID(c *call) (string, error) {
	b, err := s.cloud.Blobs.Get(c.Context(), c.PathValue("uuid"))
	return b.ID, err
}

func (s *server) instanceID(c *call) (string, error) {
	i, err := s.cloud.Instances.Find(c.Context(), c.namespace, c.PathValue("ref"))
	return i.ID, err
}

func (s *server) interfaceID(c *call) (string, error) {
	i, err := s.findInterface(c)
	return i.ID, err
}

func (s *server) namespaceID(c *call) (string, error) {
	n, err := s.findNamespace(c)
	return n.Name, err
}

func (s *server) networkID(c *call) (string, error) {
	n, err := s.cloud.Networks.Find(c.Context(), c.namespace, c.PathValue("ref"))
	return n.ID, err
}

func (s *server) nodeID(c *call) (string, error) {
	n, err := s.cloud.Nodes.Get(c.Context(), c.PathValue("node"))
	return n.Name, err
}

func (s *server) showMetadata(n noted) handler {
	return func(c *call) (any, error) {
		id, err := n.find(c)
		if err != nil {
			return nil, err
		}
		values := s.cloud.Metadata.Of(n.kind, id)
		if s.oldGoClient(c) {
			return texts(values), nil
		}
		return api.Object(values), nil
	}
}

// texts shows metadata to the old Go client, which reads nothing but strings: other values are their JSON.
func texts(values map[string]any) api.Strings {
	all := make(api.Strings, len(values))
	for k, v := range values {
		text, ok := v.(string)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				panic("server: metadata does not marshal: " + err.Error()) // it came out of JSON
			}
			text = string(b)
		}
		all[k] = text
	}
	return all
}

func (s *server) postMetadata(n noted) handler {
	return func(c *call) (any, error) { return s.note(c, n, c.args.text("key")) }
}

func (s *server) putMetadata(n noted) handler {
	return func(c *call) (any, error) { return s.note(c, n, c.PathValue("key")) }
}

func (s *server) note(c *call, n noted, key string) (any, error) {
	id, err := n.own(c)
	if err != nil {
		return nil, err
	}
	return nil, s.cloud.Metadata.Put(c.Context(), n.kind, id, key, c.args["value"])
}

func (s *server) deleteMetadata(n noted) handler {
	return func(c *call) (any, error) {
		id, err := n.own(c)
		if err != nil {
			return nil, err
		}
		return nil, s.cloud.Metadata.Delete(c.Context(), n.kind, id, c.PathValue("key"))
	}
}
