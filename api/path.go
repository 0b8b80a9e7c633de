package api

import (
	"net/url"
	"strings"
)

// The paths, with their parameters in braces as net/http's ServeMux has them.
const (
	PathRoot = "/"

	PathAuth          = "/auth"
	PathNamespaces    = "/auth/namespaces"
	PathNamespace     = "/auth/namespaces/{namespace}"
	PathNamespaceKeys = "/auth/namespaces/{namespace}/keys"
	PathNamespaceKey  = "/auth/namespaces/{namespace}/keys/{key}"

	PathInstances          = "/instances"
	PathInstance           = "/instances/{ref}"
	PathInstanceEvents     = "/instances/{ref}/events"
	PathInstanceInterfaces = "/instances/{ref}/interfaces"
	PathInstanceConsole    = "/instances/{ref}/consoledata"
	PathInstancePowerOn    = "/instances/{ref}/poweron"
	PathInstancePowerOff   = "/instances/{ref}/poweroff"

	PathInterface = "/interfaces/{uuid}"

	PathNetworks          = "/networks"
	PathNetwork           = "/networks/{ref}"
	PathNetworkEvents     = "/networks/{ref}/events"
	PathNetworkInterfaces = "/networks/{ref}/interfaces"
	PathNetworkAddresses  = "/networks/{ref}/addresses"

	PathNodes      = "/nodes"
	PathNode       = "/nodes/{node}"
	PathNodeEvents = "/nodes/{node}/events"

	PathArtifacts        = "/artifacts"
	PathArtifact         = "/artifacts/{ref}"
	PathArtifactEvents   = "/artifacts/{ref}/events"
	PathArtifactVersions = "/artifacts/{ref}/versions"

	PathBlobs = "/blobs"
	PathBlob  = "/blobs/{uuid}"

	PathHealthz = "/healthz"
	PathReadyz  = "/readyz"
	PathMetrics = "/metrics"
)

// Path returns pattern with its parameters replaced by args, escaped, in order. An arg may hold slashes and is still one
// segment. It panics if there are fewer args than parameters or more.
func Path(pattern string, args ...string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "{")
		b.WriteString(before)
		if !found {
			break
		}
		if len(args) == 0 {
			panic("api.Path: too few args for " + pattern)
		}
		b.WriteString(segment(args[0]))
		args = args[1:]
		_, pattern, _ = strings.Cut(rest, "}")
	}
	if len(args) > 0 {
		panic("api.Path: too many args for " + b.String())
	}
	return b.String()
}

// segment escapes text so that no hop takes it for a walk up the path.
func segment(text string) string {
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}
