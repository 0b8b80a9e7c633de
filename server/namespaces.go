package server

import (
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/namespace"
	"net/http"
)

// namespaceRoutes are the routes of logging in, and of namespaces with their keys.
func (s *server) namespaceRoutes() []route {
	return []route{
		{method: http.MethodPost, pattern: api.PathAuth, who: nobody, handle: s.postAuth, args: []arg{
			{name: "namespace", kind: argText, must: true, doc: "whose key it is"},
			{name: "key", kind: argAny, doc: "the secret; whichever key of the namespace it is"},
		}},
		{method: http.MethodGet, pattern: api.PathNamespaces, who: anybody, handle: s.listNamespaces},
		{method: http.MethodPost, pattern: api.PathNamespaces, who: admin, handle: s.createNamespace, args: []arg{
			{name: "namespace", kind: argText, must: true, missing: "no namespace specified", doc: "name of the new namespace"},
			{name: "key_name", kind: argText, empty: true, doc: "name of its first key; absent: no key"},
			{name: "key", kind: argText, doc: "secret of that key"},
		}},
		{method: http.MethodGet, pattern: api.PathNamespace, who: trusted, handle: s.onNamespace(s.showNamespace)},
		{method: http.MethodDelete, pattern: api.PathNamespace, who: admin, handle: s.deleteNamespace},
		{method: http.MethodGet, pattern: api.PathNamespaceKeys, who: trusted, handle: s.onNamespace(s.listKeys)},
		{method: http.MethodPost, pattern: api.PathNamespaceKeys, who: trusted, handle: s.onNamespace(s.addKey), args: keyArgs},
		{method: http.MethodPut, pattern: api.PathNamespaceKeys, who: trusted, handle: s.onNamespace(s.updateKey), args: keyArgs},
		{method: http.MethodPut, pattern: api.PathNamespaceKey, who: trusted, handle: s.onNamespace(s.updateKeyInPath), args: secretArgs},
		{method: http.MethodDelete, pattern: api.PathNamespaceKey, who: trusted, handle: s.onNamespace(s.deleteKey)},
	}
}

// onNamespace finds the namespace in the path. One that does not trust the caller is one that is not there.
func (s *server) onNamespace(f func(*call, namespace.Namespace) (any, error)) handler {
	return func(c *call) (any, error) {
		n, err := s.cloud.Namespaces.Get(c.Context(), c.PathValue("namespace"))
		if err != nil {
			return nil, err
		}
		if !s.cloud.Namespaces.Trusts(n.Name, c.namespace) {
			return nil, errNoNamespace(n.Name)
		}
		return f(c, n)
	}
}

func errNoNamespace(name string) error {
	return fault.New("server.namespace", fault.NotFound, name, "namespace not found")
}

// target returns the namespace that an object shall be made in: the one named, or the caller's. It fails with
// fault.NotFound if the named one is not there or does not trust the caller.
func (s *server) target(c *call) (string, error) {
	name := c.args.text("namespace")
	if name == "" {
		return c.namespace, nil
	}
	if _, err := s.cloud.Namespaces.Get(c.Context(), name); err != nil {
		return "", err
	}
	if !s.cloud.Namespaces.Trusts(name, c.namespace) {
		return "", errNoNamespace(name)
	}
	return name, nil
}

func (s *server) listNamespaces(c *call) (any, error) {
	list := s.cloud.Namespaces.List(c.Context(), c.namespace)
	if s.oldGoClient(c) {
		names := make(api.List[string], len(list))
		for i, n := range list {
			names[i] = n.Name
		}
		return names, nil
	}
	views := make(api.List[api.Namespace], len(list))
	for i, n := range list {
		views[i] = s.namespaceView(n)
	}
	return views, nil
}

func (s *server) createNamespace(c *call) (any, error) {
	keyName, key := c.args.text("key_name"), c.args.text("key")
	if keyName != "" && key == "" {
		return nil, invalid("no key specified")
	}
	n, err := s.cloud.Namespaces.Create(c.Context(), c.args.text("namespace"), keyName, key)
	if err != nil {
		return nil, err
	}
	return s.namespaceView(n), nil
}

func (s *server) showNamespace(_ *call, n namespace.Namespace) (any, error) {
	return s.namespaceView(n), nil
}

func (s *server) deleteNamespace(c *call) (any, error) {
	return nil, s.cloud.DeleteNamespace(c.Context(), c.PathValue("namespace"))
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

func (s *server) namespaceView(n namespace.Namespace) api.Namespace {
	return api.Namespace{
		Name: n.Name, State: api.StateCreated, Keys: n.Keys, Trust: api.Trust{Full: n.Trusts},
		Metadata: s.cloud.Metadata.Of("namespace", n.Name), Version: api.NamespaceVersion,
	}
}
