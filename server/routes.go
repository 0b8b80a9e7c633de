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

// route is one method of one path.
type route struct {
	method, pattern string
	who             who
	handle          handler
	args            []arg
	stateless       bool // needs nothing of the state store, so it answers while that is away
}

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
	return slices.Concat(s.plainRoutes(), s.authRoutes(), s.instanceRoutes(), s.networkRoutes(), s.nodeRoutes(), s.imageRoutes())
}

func (s *server) plainRoutes() []route {
	return []route{
		{method: http.MethodGet, pattern: api.PathRoot, who: nobody, handle: s.showRoot, stateless: true},
		{method: http.MethodGet, pattern: api.PathHealthz, who: nobody, handle: s.showHealth, stateless: true},
		{method: http.MethodGet, pattern: api.PathReadyz, who: nobody, handle: s.showReady, stateless: true},
		{method: http.MethodGet, pattern: api.PathMetrics, who: nobody, handle: s.showMetrics, stateless: true},
	}
}

func (s *server) authRoutes() []route {
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

func (s *server) instanceRoutes() []route {
	return []route{
		{method: http.MethodGet, pattern: api.PathInstances, who: anybody, handle: s.listInstances, args: listArgs},
		{method: http.MethodPost, pattern: api.PathInstances, who: anybody, handle: s.createInstance, args: createInstanceArgs},
		{method: http.MethodGet, pattern: api.PathInstance, who: owner, handle: s.onInstance(s.showInstance), args: namespaceArgs},
		{method: http.MethodDelete, pattern: api.PathInstance, who: owner, handle: s.onInstance(s.deleteInstance), args: namespaceArgs},
		{method: http.MethodGet, pattern: api.PathInstanceEvents, who: owner, handle: s.onInstance(s.instanceEvents), args: eventArgs},
		{method: http.MethodGet, pattern: api.PathInstanceInterfaces, who: owner, handle: s.onInstance(s.instanceInterfaces)},
		{method: http.MethodGet, pattern: api.PathInstanceConsole, who: owner, handle: s.onInstance(s.instanceConsole), args: []arg{
			{name: "length", kind: argInt, doc: "bytes from the end; absent or 0: 10240, -1: all"},
		}},
		{method: http.MethodPost, pattern: api.PathInstancePowerOn, who: owner, handle: s.onInstance(s.powerOn)},
		{method: http.MethodPost, pattern: api.PathInstancePowerOff, who: owner, handle: s.onInstance(s.powerOff)},
		{method: http.MethodGet, pattern: api.PathInterface, who: owner, handle: s.showInterface},
	}
}

func (s *server) networkRoutes() []route {
	return []route{
		{method: http.MethodGet, pattern: api.PathNetworks, who: anybody, handle: s.listNetworks, args: listArgs},
		{method: http.MethodPost, pattern: api.PathNetworks, who: anybody, handle: s.createNetwork, args: createNetworkArgs},
		{method: http.MethodGet, pattern: api.PathNetwork, who: owner, handle: s.onNetwork(s.showNetwork), args: namespaceArgs},
		{method: http.MethodDelete, pattern: api.PathNetwork, who: owner, handle: s.onNetwork(s.deleteNetwork), args: namespaceArgs},
		{method: http.MethodGet, pattern: api.PathNetworkEvents, who: owner, handle: s.onNetwork(s.networkEvents), args: eventArgs},
		{method: http.MethodGet, pattern: api.PathNetworkInterfaces, who: owner, handle: s.onNetwork(s.networkInterfaces)},
		{method: http.MethodGet, pattern: api.PathNetworkAddresses, who: owner, handle: s.onNetwork(s.networkAddresses)},
	}
}

func (s *server) nodeRoutes() []route {
	return []route{
		{method: http.MethodGet, pattern: api.PathNodes, who: admin, handle: s.listNodes},
		{method: http.MethodGet, pattern: api.PathNode, who: admin, handle: s.onNode(s.showNode)},
		{method: http.MethodGet, pattern: api.PathNodeEvents, who: admin, handle: s.onNode(s.nodeEvents), args: eventArgs},
	}
}

func (s *server) imageRoutes() []route {
	return []route{
		{method: http.MethodGet, pattern: api.PathArtifacts, who: anybody, handle: s.listArtifacts, args: nodeArgs},
		{method: http.MethodPost, pattern: api.PathArtifacts, who: anybody, handle: s.cacheArtifact, args: []arg{
			{name: "url", kind: argText, must: true, doc: "of the image, http or https, or a shorthand such as debian:12"},
			{name: "shared", kind: argBool, doc: "for every namespace; only system can say so; absent: false"},
			{name: "namespace", kind: argText, empty: true, doc: "whose it shall be; absent: the caller's"},
		}},
		{method: http.MethodGet, pattern: api.PathArtifact, who: trusted, handle: s.onArtifact(s.showArtifact)},
		{method: http.MethodDelete, pattern: api.PathArtifact, who: trusted, handle: s.onOwnedArtifact(s.deleteArtifact)},
		{method: http.MethodGet, pattern: api.PathArtifactEvents, who: trusted, handle: s.onArtifact(s.artifactEvents), args: eventArgs},
		{method: http.MethodGet, pattern: api.PathArtifactVersions, who: trusted, handle: s.onArtifact(s.artifactVersions)},
		{method: http.MethodGet, pattern: api.PathBlobs, who: admin, handle: s.listBlobs, args: nodeArgs},
		{method: http.MethodGet, pattern: api.PathBlob, who: anybody, handle: s.showBlob},
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
	"namespace": "/namespaces/{", "key_name": "/keys/{",
}

func joinSorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, ", ")
}
