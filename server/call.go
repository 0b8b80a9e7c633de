package server

import (
	"io"
	"net/http"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/namespace"
)

// call is a request whose caller is known and whose arguments are checked.
type call struct {
	*http.Request
	namespace string // the caller's; "" on routes that need none
	args      args
	body      io.Reader // on routes whose body is raw
}

// handler answers a call with a body or an error. It never sees the connection.
type handler func(*call) (any, error)

// owned returns the namespace whose objects the caller lists: their own, or "", every one, for the system.
func (c *call) owned() string {
	if c.namespace == namespace.System {
		return ""
	}
	return c.namespace
}

// scope returns the namespace in which a name in the path is looked up: the one the caller named, if the caller may look
// there, otherwise the caller's own, which for the system is every namespace.
func (c *call) scope() string {
	if name := c.args.text("namespace"); name != "" && c.namespace == namespace.System {
		return name
	}
	return c.namespace
}

// mustBeIn fails with fault.NotFound unless the object is in the namespace that the caller named, if any.
func (c *call) mustBeIn(kind, owner string) error {
	if name := c.args.text("namespace"); name != "" && name != owner {
		return fault.New("server.mustBeIn", fault.NotFound, "", "%s not found in namespace", kind)
	}
	return nil
}

// namespaceArgs are what routes on one instance or network take: a check that it is where the caller believes.
var namespaceArgs = []arg{{name: "namespace", kind: argText, empty: true, doc: "the object must be in this namespace"}}

// oldGoClient reports whether the caller is the Go client of the years before this API. It names no User-Agent, so it has
// the default one, and it can't read some bodies as they are now.
func (s *server) oldGoClient(c *call) bool {
	return !s.noOldGoClient && strings.HasPrefix(c.UserAgent(), "Go-http-client/")
}

// optional returns nil for "", as views show what is not set.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
