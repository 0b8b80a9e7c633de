package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/namespace"
)

// deleteAllRoutes are the routes that delete all there is of a kind.
func (s *server) deleteAllRoutes() []route {
	return []route{
		{
			method: http.MethodDelete, pattern: api.PathInstances, who: anybody, handle: s.deleteInstances, args: deleteAllArgs,
			summary: "delete all instances of a namespace; for system, with namespace system, those of all", out: api.List[string]{},
			errs: []int{http.StatusNotFound},
		},
		{
			method: http.MethodDelete, pattern: api.PathNetworks, who: anybody, handle: s.deleteNetworks, args: deleteNetworksArgs,
			summary: "delete all networks of a namespace; for system, with namespace system, those of all", out: api.List[string]{},
			errs: []int{http.StatusForbidden, http.StatusNotFound},
		},
		{
			method: http.MethodDelete, pattern: api.PathArtifacts, who: anybody, handle: s.deleteArtifacts, args: deleteAllArgs,
			summary: "delete all artifacts of a namespace", out: api.List[string]{}, errs: []int{http.StatusNotFound},
		},
	}
}

var (
	deleteAllArgs = []arg{
		{name: "confirm", kind: argAny, doc: "must be true, and nothing like it", example: true},
		{name: "namespace", kind: argAny, doc: "whose; system must say so, and for others it can only be their own"},
	}
	deleteNetworksArgs = []arg{
		deleteAllArgs[0], deleteAllArgs[1],
		{name: "clean_wait", kind: argBool, doc: "networks in use go too, once they are not; absent: false, they stay and the answer is 403"},
	}
)

// doomed returns the namespace of which everything shall be deleted. It fails with fault.Invalid unless the caller means it.
func (s *server) doomed(c *call) (string, error) {
	if c.args["confirm"] != true {
		return "", invalid("parameter confirm is not set true")
	}
	name, isText := c.args["namespace"].(string)
	if c.namespace == namespace.System {
		if name == "" {
			return "", invalid("system user must specify parameter namespace")
		}
		_, err := s.cloud.Namespaces.Get(c.Context(), name)
		return name, err
	}
	switch {
	case c.args.has("namespace") && !isText:
		return "", invalid("namespace is not a string")
	case name != "" && name != c.namespace:
		return "", fault.New("server.doomed", fault.Unauthorized, "", "unauthorized: only the system namespace deletes all of another namespace")
	}
	return c.namespace, nil
}

// everywhere turns a namespace into what managers list by: for the system's, every namespace there is.
func everywhere(name string) string {
	if name == namespace.System {
		return ""
	}
	return name
}

func (s *server) deleteInstances(c *call) (any, error) {
	name, err := s.doomed(c)
	if err != nil {
		return nil, err
	}
	ids, err := s.cloud.Instances.DeleteAll(c.Context(), everywhere(name))
	return api.List[string](ids), err
}

// undeleted is the error that says which networks are in use. Its body is not a text.
type undeleted struct{ api.Undeleted }

func (e undeleted) Error() string { return "some networks are in use" }

// deleteNetworks deletes what it can, also when it fails because of networks that are in use.
func (s *server) deleteNetworks(c *call) (any, error) {
	name, err := s.doomed(c)
	if err != nil {
		return nil, err
	}
	deleted, inUse, err := s.cloud.Networks.DeleteAll(c.Context(), everywhere(name), c.args.flag("clean_wait", false))
	if err != nil {
		return nil, err
	}
	if len(inUse) > 0 {
		return nil, undeleted{api.Undeleted{Deleted: deleted, Unable: inUse}}
	}
	return api.List[string](deleted), nil
}

func (s *server) deleteArtifacts(c *call) (any, error) {
	name, err := s.doomed(c)
	if err != nil {
		return nil, err
	}
	ids, err := s.cloud.Artifacts.DeleteAll(c.Context(), name)
	return api.List[string](ids), err
}
