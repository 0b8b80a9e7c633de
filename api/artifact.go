package api

// Artifact is the view of an artifact: an image, snapshot or label with its versions.
type Artifact struct {
	UUID        string                `json:"uuid"`
	Type        string                `json:"artifact_type"` // image, snapshot, label, other
	SourceURL   string                `json:"source_url"`
	Namespace   string                `json:"namespace"`
	Shared      bool                  `json:"shared"`
	MaxVersions int                   `json:"max_versions"`
	Index       int                   `json:"index"`               // of the newest version; 0 if there is none
	BlobUUID    string                `json:"blob_uuid,omitempty"` // of the newest version; absent if there is none
	Blobs       ByIndex[ArtifactBlob] `json:"blobs"`               // the versions by index
	State       string                `json:"state"`               // initial, created, deleted, error
	Metadata    Object                `json:"metadata"`
	Version     int                   `json:"version"` // ArtifactVersion
}

// ArtifactBlob is a version of an artifact, in the artifact's view.
type ArtifactBlob struct {
	UUID           string       `json:"uuid"`
	Size           int64        `json:"size"` // bytes
	ReferenceCount int          `json:"reference_count"`
	DependsOn      *string      `json:"depends_on"` // blob UUID
	Instances      List[string] `json:"instances"`  // UUIDs of instances that use it
}

// Blob is the view of a blob.
type Blob struct {
	UUID           string       `json:"uuid"`
	State          string       `json:"state"` // initial, created, deleted, error
	Size           int64        `json:"size"`  // bytes
	Modified       Time         `json:"modified"`
	FetchedAt      Time         `json:"fetched_at"`
	LastUsed       *Time        `json:"last_used"`  // when an instance began or ceased to use it
	DependsOn      *string      `json:"depends_on"` // blob UUID
	Transcodes     Strings      `json:"transcodes"` // blob UUIDs by format
	Locations      List[string] `json:"locations"`  // names of nodes
	Damaged        List[string] `json:"damaged"`    // names of nodes whose copy is bad, which nobody uses
	ReferenceCount int          `json:"reference_count"`
	SHA512         *string      `json:"sha512"` // hex, as are those that follow
	SHA256         *string      `json:"sha256"`
	SHA1           *string      `json:"sha1"`
	XXH128         *string      `json:"xxh128"`
	Metadata       Object       `json:"metadata"`
	Version        int          `json:"version"`            // BlobVersion
	Instances      List[string] `json:"instances,omitzero"` // UUIDs; absent (nil) in lists, present for a single blob
	*ImageInfo                  // absent until the content has been looked at
}

// ImageInfo is what a blob's content says of itself, under the names qemu-img has for it.
type ImageInfo struct {
	MIMEType        string `json:"mime-type"`
	FileFormat      string `json:"file format"`            // raw, qcow2, …
	VirtualSize     Float  `json:"virtual size"`           // bytes
	ClusterSize     *Float `json:"cluster_size,omitempty"` // bytes; this and the next are absent where the format has none
	DiskSize        string `json:"disk size,omitempty"`    // for humans, such as 3.31 GiB
	Compat          *Float `json:"compat,omitempty"`
	CompressionType string `json:"compression type,omitempty"`
	ExtendedL2      string `json:"extended l2,omitempty"` // "true" or "false"
}

// IndexedBlob is an entry of GET /artifacts/{ref}/versions: the view of the blob and its index.
type IndexedBlob struct {
	Blob
	Index int `json:"index"`
}

// CreateArtifact is the body of POST /artifacts, which has an image fetched.
type CreateArtifact struct {
	URL       string  `json:"url"`       // or a shorthand such as debian:12
	Shared    bool    `json:"shared"`    // for the namespace system only
	Namespace *string `json:"namespace"` // null: the caller's
}

// UploadArtifact is the body of POST /artifacts/upload/{name}. It has either an upload or a blob.
type UploadArtifact struct {
	UploadUUID *string `json:"upload_uuid"`             // of what was uploaded; it is gone then
	BlobUUID   *string `json:"blob_uuid"`               // of content that is there
	SourceURL  *string `json:"source_url"`              // which artifact it is; null: sf://upload/<namespace of the caller>/<name>
	Shared     bool    `json:"shared"`                  // for the namespace system only
	Namespace  *string `json:"namespace"`               // null: the caller's
	Type       *string `json:"artifact_type,omitempty"` // image or other; absent: image. Older servers take no such key
}

// MaxVersions is the body of POST /artifacts/{ref}/versions.
type MaxVersions struct {
	MaxVersions *int `json:"max_versions"` // from 1 to 100; null: what new artifacts have
}

// UpdateLabel is the body of POST and PUT /label/{name}.
type UpdateLabel struct {
	BlobUUID    string `json:"blob_uuid"`
	MaxVersions *int   `json:"max_versions"` // how many blobs it keeps, from 1 to 100; null: as it is
}
