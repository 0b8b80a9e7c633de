// Package contract is the table of what clients of many years rely on: every route of the REST API and every command of
// sf-client, with what answers, to whom, and how it refuses. Tests walk it from both ends: a route that is served without
// a row, or a row that nothing proves, fails.
//
// It is written down by hand, from what clients send and read, and knows nothing of the code that serves it.
package contract

import (
	"cmp"
	"slices"
)

// Who says which callers a route answers.
type Who string

// The classes of caller. Somebody who may not use an object is told that it is not there.
const (
	None    Who = "none"              // no token needed
	Any     Who = "any"               // any valid token
	Owner   Who = "owner"             // the object's namespace, and system
	Trusted Who = "trusted"           // the object's namespace, those that it trusts, and system
	Shared  Who = "trusted or shared" // as Trusted, and everybody if the artifact is shared
	Admin   Who = "admin"             // system; others get 401
)

// Kind is what the path of a route names.
type Kind string

// The kinds of object that paths name. A path that names none has the Kind "".
const (
	Instance  Kind = "instance"
	Network   Kind = "network"
	Interface Kind = "interface"
	Artifact  Kind = "artifact"
	Blob      Kind = "blob"
	Node      Kind = "node"
	Namespace Kind = "namespace"
	Label     Kind = "label"
	Upload    Kind = "upload"
)

// Refusal is an answer other than 200 that a route can give.
type Refusal struct {
	Status int
	Text   string // what the error's text contains
}

// Route is a row of the REST API.
type Route struct {
	Method string
	Path   string // with parameters in braces, as net/http's ServeMux has them
	Who    Who
	// Body is what comes with status 200: a type of shapes, several of them with " or " between, or "media <type>" for
	// what is not JSON.
	Body string
	// Refusals are the answers besides 200, and besides the 401 and 404 that Who demands.
	Refusals []Refusal
	// Golden names the files in server/testdata/golden, without .txt, that hold bodies of status 200.
	Golden []string
	// Issue is the later issue that the row belongs to; until then it is not routed. 0 means that it is done.
	Issue int
}

// Name is how logs and tests call a route: "GET /instances".
func (r Route) Name() string { return r.Method + " " + r.Path }

// Done reports whether the row must hold today.
func (r Route) Done() bool { return r.Issue == 0 }

// Kind returns what the route's path names.
func (r Route) Kind() Kind {
	for prefix, k := range map[string]Kind{
		"/instances/{ref}": Instance, "/networks/{ref}": Network, "/interfaces/{uuid}": Interface, "/artifacts/{ref}": Artifact,
		"/blobs/{uuid}": Blob, "/nodes/{node}": Node, "/auth/namespaces/{namespace}": Namespace,
		"/label/{name...}": Label, "/upload/{uuid}": Upload,
	} {
		if len(r.Path) >= len(prefix) && r.Path[:len(prefix)] == prefix {
			return k
		}
	}
	return ""
}

// Routes returns every row of the REST API, by resource.
func Routes() []Route {
	return slices.Concat(adminRoutes(), authRoutes(), instanceRoutes(), interfaceRoutes(), networkRoutes(), nodeRoutes(),
		artifactRoutes(), versionRoutes(), labelRoutes(), uploadRoutes(), blobRoutes(), laterRoutes(), metadataRoutes(), ownRoutes())
}

// Command is a row of the command line.
type Command struct {
	Name    string   // such as "instance create"
	Args    string   // how its usage line shows its arguments; "" for none
	Options []string // the flags it has, with their dashes
	Script  string   // the testscript below cmd/sf-client/testdata that runs it in each format
	Issue   int      // as in Route

	// What programs and people read in its output; "" for what has no such form. Names are separated by commas.
	Columns string // of the table in pretty
	Simple  string // the first line in --simple, if it is not Columns
	Labels  string // of the lines in pretty, in their order
	Keys    string // of the object in --json; there may be more
}

// Header returns the first line in --simple, "" if the command prints no table.
func (c Command) Header() string { return cmp.Or(c.Simple, c.Columns) }

// Done reports whether the row must hold today.
func (c Command) Done() bool { return c.Issue == 0 }
