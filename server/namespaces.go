package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/namespace"
)

// namespaceRoutes are the routes of namespaces.
func (s *server) namespaceRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathNamespaces, who: anybody, handle: s.listNamespaces,
			summary: "list the namespaces that trust the caller", out: api.List[api.Namespace]{},
		},
		{
			method: http.MethodPost, pattern: api.PathNamespaces, who: admin, handle: s.createNamespace, args: createNamespaceArgs,
			summary: "make a namespace, with a first key if one is given", out: api.Namespace{}, errs: []int{http.StatusForbidden},
		},
		{
			method: http.MethodGet, pattern: api.PathNamespace, who: trusted, handle: s.onNamespace(s.showNamespace),
			summary: "show a namespace", out: api.Namespace{},
		},
		{
			method: http.MethodDelete, pattern: api.PathNamespace, who: admin, handle: s.deleteNamespace,
			summary: "delete a namespace with its artifacts", errs: []int{http.StatusForbidden},
		},
		{
			method: http.MethodPost, pattern: api.PathNamespaceTrust, who: trusted, handle: s.onNamespace(s.addTrust), args: trustArgs,
			summary: "let another namespace act on this one", out: api.Namespace{},
		},
		{
			method: http.MethodDelete, pattern: api.PathNamespaceTrusted, who: trusted, handle: s.onNamespace(s.removeTrust),
			summary: "let another namespace act on this one no more", out: api.Namespace{},
		},
	}
}

var (
	createNamespaceArgs = []arg{
		{name: "namespace", kind: argText, must: true, missing: "no namespace specified", doc: "name of the new namespace", example: "team"},
		{name: "key_name", kind: argText, empty: true, doc: "name of its first key; absent: no key"},
		{name: "key", kind: argAny, doc: "secret of that key, a string"},
	}
	trustArgs = []arg{{
		name: "external_namespace", kind: argText, must: true, missing: "no external namespace specified",
		doc: "who shall be trusted; need not exist yet", example: "friends",
	}}
)

// onNamespace finds the namespace in the path. One that does not trust the caller is one that is not there.
func (s *server) onNamespace(f func(*call, namespace.Namespace) (any, error)) handler {
	return func(c *call) (any, error) {
		n, err := s.findNamespace(c)
		if err != nil {
			return nil, err
		}
		return f(c, n)
	}
}

func (s *server) findNamespace(c *call) (namespace.Namespace, error) {
	n, err := s.cloud.Namespaces.Get(c.Context(), c.PathValue("namespace"))
	if err != nil {
		return n, err
	}
	if !s.cloud.Namespaces.Trusts(n.Name, c.namespace) {
		return n, errNoNamespace(n.Name)
	}
	return n, nil
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

// createNamespace checks in the order in which clients have always been told what is wrong.
func (s *server) createNamespace(c *call) (any, error) {
	name, keyName := c.args.text("namespace"), c.args.text("key_name")
	if _, err := s.cloud.Namespaces.Get(c.Context(), name); err == nil {
		return nil, fault.New("server.createNamespace", fault.Forbidden, name, "namespace exists")
	}
	secret, isText := c.args["key"].(string)
	if keyName != "" {
		switch {
		case !c.args.has("key"), isText && secret == "":
			return nil, invalid("no key specified")
		case !isText:
			return nil, invalid("key is not a string")
		}
		if err := s.logins.enter(c.Context()); err != nil { // hashing a key costs what checking one does
			return nil, err
		}
		defer s.logins.leave()
	}
	n, err := s.cloud.Namespaces.Create(c.Context(), name, keyName, secret)
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

func (s *server) addTrust(c *call, n namespace.Namespace) (any, error) {
	n, err := s.cloud.Namespaces.Trust(c.Context(), n.Name, c.args.text("external_namespace"))
	if err != nil {
		return nil, err
	}
	return s.namespaceView(n), nil
}

func (s *server) removeTrust(c *call, n namespace.Namespace) (any, error) {
	n, err := s.cloud.Namespaces.Distrust(c.Context(), n.Name, c.PathValue("external"))
	if err != nil {
		return nil, err
	}
	return s.namespaceView(n), nil
}

func (s *server) namespaceView(n namespace.Namespace) api.Namespace {
	return api.Namespace{
		Name: n.Name, State: api.StateCreated, Keys: n.Keys, Trust: api.Trust{Full: n.Trusts},
		Metadata: s.cloud.Metadata.Of("namespace", n.Name), Version: api.NamespaceVersion,
	}
}
