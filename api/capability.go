package api

// The words on the root page by which clients learn what a server can do. A word is there only if its promise holds.
const (
	CanArtifactMetadata     = "artifact-metadata"     // metadata of artifacts
	CanUploadTypes          = "artifact-upload-types" // artifact_type on POST /artifacts/upload/{name}
	CanBlobHashSHA1         = "blob-hash-sha1"        // GET /blob_checksums by that algorithm; this and the next two
	CanBlobHashSHA256       = "blob-hash-sha256"
	CanBlobHashXXH128       = "blob-hash-xxh128"
	CanBlobMetadata         = "blob-metadata"          // metadata of blobs
	CanBlobSearchByHash     = "blob-search-by-hash"    // GET /blob_checksums/{algorithm}/{hash}
	CanClusterCACert        = "cluster-cacert"         // GET /admin/cacert
	CanClusterResources     = "cluster-resources"      // GET /admin/resources
	CanEventsByType         = "events-by-type"         // event_type and limit on events
	CanGetInstanceNamespace = "get-instance-namespace" // the argument namespace on GET of an instance
	CanGetNetworkNamespace  = "get-network-namespace"  // the argument namespace on GET of a network
	CanInterfaceMetadata    = "interface-metadata"     // metadata of interfaces
	CanListAddresses        = "list-addresses"         // GET /networks/{ref}/addresses
	CanGetNode              = "node-get"               // GET /nodes/{node}
	CanNodeMetadata         = "node-metadata"          // metadata of nodes
	CanProcessMetrics       = "node-process-metrics"   // GET /nodes/{node}/processmetrics
	CanProvideDNS           = "provide-dns"            // provide_dns when a network is created
	CanPureAffinity         = "pure-affinity"          // where instances go follows from their tags and affinity alone
)

// Capabilities returns the words that describe the paths of this package, ascending.
func Capabilities() []string {
	return []string{
		CanArtifactMetadata, CanUploadTypes, CanBlobHashSHA1, CanBlobHashSHA256, CanBlobHashXXH128, CanBlobMetadata, CanBlobSearchByHash,
		CanClusterCACert, CanClusterResources, CanEventsByType, CanGetInstanceNamespace, CanGetNetworkNamespace, CanInterfaceMetadata,
		CanListAddresses, CanGetNode, CanNodeMetadata, CanProcessMetrics, CanProvideDNS, CanPureAffinity,
	}
}
