package api

import (
	"net/url"
	"strings"
)

// The paths, with their parameters in braces as net/http's ServeMux has them.
const (
	PathRoot = "/"

	PathLocks     = "/admin/locks"
	PathCACert    = "/admin/cacert"
	PathResources = "/admin/resources"

	PathAuth                 = "/auth"
	PathNamespaces           = "/auth/namespaces"
	PathNamespace            = "/auth/namespaces/{namespace}"
	PathNamespaceKeys        = "/auth/namespaces/{namespace}/keys"
	PathNamespaceKey         = "/auth/namespaces/{namespace}/keys/{key}"
	PathNamespaceTrust       = "/auth/namespaces/{namespace}/trust"
	PathNamespaceTrusted     = "/auth/namespaces/{namespace}/trust/{external}"
	PathNamespaceMetadata    = "/auth/namespaces/{namespace}/metadata"
	PathNamespaceMetadataKey = "/auth/namespaces/{namespace}/metadata/{key}"

	PathInstances           = "/instances"
	PathInstance            = "/instances/{ref}"
	PathInstanceEvents      = "/instances/{ref}/events"
	PathInstanceInterfaces  = "/instances/{ref}/interfaces"
	PathInstanceConsole     = "/instances/{ref}/consoledata"
	PathInstancePowerOn     = "/instances/{ref}/poweron"
	PathInstancePowerOff    = "/instances/{ref}/poweroff"
	PathInstanceSnapshot    = "/instances/{ref}/snapshot"
	PathInstanceMetadata    = "/instances/{ref}/metadata"
	PathInstanceMetadataKey = "/instances/{ref}/metadata/{key}"

	PathInterface            = "/interfaces/{uuid}"
	PathInterfaceMetadata    = "/interfaces/{uuid}/metadata"
	PathInterfaceMetadataKey = "/interfaces/{uuid}/metadata/{key}"

	PathNetworks           = "/networks"
	PathNetwork            = "/networks/{ref}"
	PathNetworkEvents      = "/networks/{ref}/events"
	PathNetworkInterfaces  = "/networks/{ref}/interfaces"
	PathNetworkAddresses   = "/networks/{ref}/addresses"
	PathNetworkMetadata    = "/networks/{ref}/metadata"
	PathNetworkMetadataKey = "/networks/{ref}/metadata/{key}"

	PathNodes           = "/nodes"
	PathNode            = "/nodes/{node}"
	PathNodeEvents      = "/nodes/{node}/events"
	PathNodeProcesses   = "/nodes/{node}/processmetrics"
	PathNodeMetadata    = "/nodes/{node}/metadata"
	PathNodeMetadataKey = "/nodes/{node}/metadata/{key}"

	PathArtifacts           = "/artifacts"
	PathArtifact            = "/artifacts/{ref}"
	PathArtifactEvents      = "/artifacts/{ref}/events"
	PathArtifactVersions    = "/artifacts/{ref}/versions"
	PathArtifactMetadata    = "/artifacts/{ref}/metadata"
	PathArtifactMetadataKey = "/artifacts/{ref}/metadata/{key}"
	PathArtifactVersion     = "/artifacts/{ref}/versions/{index}"
	PathArtifactShare       = "/artifacts/{ref}/share"
	PathArtifactUnshare     = "/artifacts/{ref}/unshare"
	PathArtifactUpload      = "/artifacts/upload/{name}"
	PathImages              = "/images" // what artifacts were called once

	PathLabel = "/label/{name...}" // <name>, or <namespace>/<name>

	PathUploads        = "/upload"
	PathUpload         = "/upload/{uuid}"
	PathUploadTruncate = "/upload/{uuid}/truncate/{offset}"

	PathBlobs           = "/blobs"
	PathBlob            = "/blobs/{uuid}"
	PathBlobData        = "/blobs/{uuid}/data"
	PathBlobChecksum    = "/blob_checksums/{algorithm}/{hash}"
	PathBlobMetadata    = "/blobs/{uuid}/metadata"
	PathBlobMetadataKey = "/blobs/{uuid}/metadata/{key}"

	PathHealthz = "/healthz"
	PathReadyz  = "/readyz"
	PathMetrics = "/metrics"
	PathOpenAPI = "/openapi.json"
	PathAPIDocs = "/apidocs"
)

// Path returns pattern with its parameters replaced by args, escaped, in order. An arg may hold slashes and is still one
// segment, unless its parameter ends in three dots: then each slash begins another one. It panics if there are fewer args than parameters or more.
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
		parameter, after, _ := strings.Cut(rest, "}")
		if strings.HasSuffix(parameter, "...") {
			b.WriteString(segments(args[0]))
		} else {
			b.WriteString(segment(args[0]))
		}
		args, pattern = args[1:], after
	}
	if len(args) > 0 {
		panic("api.Path: too many args for " + b.String())
	}
	return b.String()
}

func segments(text string) string {
	parts := strings.Split(text, "/")
	for i, p := range parts {
		parts[i] = segment(p)
	}
	return strings.Join(parts, "/")
}

// segment escapes text so that no hop takes it for a walk up the path.
func segment(text string) string {
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}
