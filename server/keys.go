package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/namespace"
)

// keyRoutes are the routes of a namespace's keys.
func (s *server) keyRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathNamespaceKeys, who: trusted, handle: s.onNamespace(s.listKeys),
			summary: "list the names of a namespace's keys", out: api.List[string]{},
		},
		{
			method: http.MethodPost, pattern: api.PathNamespaceKeys, who: trusted, handle: s.onNamespace(s.addKey), args: keyArgs,
			summary: "add a key, or give one a new secret", out: "", errs: []int{http.StatusForbidden},
		},
		{
			method: http.MethodPut, pattern: api.PathNamespaceKeys, who: trusted, handle: s.onNamespace(s.updateKey), args: keyArgs,
			summary: "give a key a new secret", out: "", errs: []int{http.StatusForbidden},
		},
		{
			method: http.MethodPut, pattern: api.PathNamespaceKey, who: trusted, handle: s.onNamespace(s.updateKeyInPath), args: secretArgs,
			summary: "give the key in the path a new secret", out: "", errs: []int{http.StatusForbidden},
		},
		{
			method: http.MethodDelete, pattern: api.PathNamespaceKey, who: trusted, handle: s.onNamespace(s.deleteKey),
			summary: "delete a key; its tokens end at once",
		},
	}
}

func (s *server) listKeys(_ *call, n namespace.Namespace) (any, error) {
	return api.List[string](n.Keys), nil
}

func (s *server) addKey(c *call, n namespace.Namespace) (any, error) {
	return s.setKey(c, n, c.args.text("key_name"), false)
}

func (s *server) updateKey(c *call, n namespace.Namespace) (any, error) {
	return s.setKey(c, n, c.args.text("key_name"), true)
}

func (s *server) updateKeyInPath(c *call, n namespace.Namespace) (any, error) {
	return s.setKey(c, n, c.PathValue("key"), true)
}

func (s *server) setKey(c *call, n namespace.Namespace, name string, mustExist bool) (any, error) {
	if err := s.logins.enter(c.Context()); err != nil { // hashing a key costs what checking one does
		return nil, err
	}
	defer s.logins.leave()
	if err := s.cloud.Namespaces.SetKey(c.Context(), n.Name, name, c.args.text("key"), mustExist); err != nil {
		return nil, err
	}
	return name, nil
}

func (s *server) deleteKey(c *call, n namespace.Namespace) (any, error) {
	return nil, s.cloud.Namespaces.DeleteKey(c.Context(), n.Name, c.PathValue("key"))
}
