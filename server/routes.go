package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// who says which callers a route answers.
type who string

// The classes of caller. The adapter sees to admin; owner and trusted are seen to where the object is found, and for
// others the object is one that is not there.
const (
	nobody  who = "none"    // no token needed
	anybody who = "any"     // any valid token
	owner   who = "owner"   // the object's namespace, or system
	trusted who = "trusted" // a namespace that the object's namespace trusts, or for artifacts one it is shared with
	admin   who = "admin"   // the system namespace
)

// route is one method of one path: what serves it, and what the OpenAPI document says of it.
type route struct {
	method, pattern string
	who             who
	handle          handler
	args            []arg
	raw             bool   // the body is no arguments but bytes, read by the handler, and takes as long as it keeps coming
	stateless       bool   // needs nothing of the state store, so it answers while that is away
	summary         string // what it does, in a few words: "list instances"
	out             any    // a value of the type of the body of status 200, media or either; nil means JSON null
	errs            []int  // statuses it may answer with, besides 200, 400, 401 and, where the path names an object, 404
}

// media is the type of a body that is not JSON, for route.out.
type media string

// either is for route.out where the body is a value of one of several types; nil is null.
type either []any

// Arguments that several routes share.
var (
	secretArgs = []arg{{name: "key", kind: argText, must: true, missing: "no key specified", doc: "the secret"}}
	keyArgs    = []arg{
		{name: "key_name", kind: argText, must: true, missing: "no key name specified", doc: "name of the key"}, secretArgs[0],
	}
	nodeArgs = []arg{{name: "node", kind: argText, empty: true, doc: "only what is on this node; absent: everything"}}
)

// routes is the API.
func (s *server) routes() []route {
	return slices.Concat(s.plainRoutes(), s.loginRoutes(), s.namespaceRoutes(), s.keyRoutes(), s.instanceRoutes(), s.snapshotRoutes(), s.interfaceRoutes(), s.networkRoutes(),
		s.nodeRoutes(), s.artifactRoutes(), s.versionRoutes(), s.labelRoutes(), s.uploadRoutes(), s.blobRoutes(), s.deleteAllRoutes(), s.metadataRoutes(), s.adminRoutes())
}

func (s *server) plainRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathRoot, who: nobody, handle: s.showRoot, stateless: true,
			summary: "a page with the words by which clients learn what this server can do", out: media("text/html; charset=utf-8"),
		},
		{
			method: http.MethodGet, pattern: api.PathOpenAPI, who: nobody, handle: s.showDocument, stateless: true,
			summary: "this document", out: api.Object{},
		},
		{
			method: http.MethodGet, pattern: api.PathAPIDocs, who: nobody, handle: s.showPage, stateless: true,
			summary: "this document, for people", out: media("text/html; charset=utf-8"),
		},
		{
			method: http.MethodGet, pattern: api.PathHealthz, who: nobody, handle: s.showHealth, stateless: true,
			summary: "whether the process lives", out: status{},
		},
		{
			method: http.MethodGet, pattern: api.PathReadyz, who: nobody, handle: s.showReady, stateless: true,
			summary: "whether the cloud serves", out: status{}, errs: []int{http.StatusServiceUnavailable},
		},
		{
			method: http.MethodGet, pattern: api.PathMetrics, who: nobody, handle: s.showMetrics, stateless: true,
			summary: "figures in the text format of Prometheus", out: media("text/plain; version=0.0.4; charset=utf-8"),
		},
	}
}

// known returns the arguments of a route, with those that mean nothing: what older clients repeat in the body though it
// stands in the path.
func (rt route) known() []arg {
	known := slices.Clone(rt.args)
	for name, parameter := range inPath {
		if strings.Contains(rt.pattern, parameter) && !slices.ContainsFunc(known, func(a arg) bool { return a.name == name }) {
			known = append(known, arg{name: name, kind: argIgnored})
		}
	}
	return known
}

// inPath is the beginning of the path in which a body argument of this name repeats a parameter.
var inPath = map[string]string{
	"instance_ref": "/instances/{", "instance_uuid": "/instances/{",
	"network_ref": "/networks/{", "network_uuid": "/networks/{",
	"artifact_ref": "/artifacts/{", "artifact_uuid": "/artifacts/{",
	"interface_uuid": "/interfaces/{", "blob_uuid": "/blobs/{", "node": "/nodes/{",
	"namespace": "/namespaces/{", "key_name": "/keys/{", "key": "/metadata/{",
}

func joinSorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, ", ")
}
