package api

// TakeSnapshot is the body of POST /instances/{ref}/snapshot. Without all and device, the first disk is copied.
type TakeSnapshot struct {
	All         bool   `json:"all"`                    // every disk that can be copied, and the variables of UEFI firmware
	Device      string `json:"device,omitempty"`       // vda, or nvram for the variables of UEFI firmware
	Thin        bool   `json:"thin"`                   // only what the guest itself wrote; false: the cloud's default
	Flatten     bool   `json:"flatten,omitempty"`      // a copy that is whole by itself, whatever the default
	MaxVersions int    `json:"max_versions,omitempty"` // how many copies of each disk are kept; absent or 0: as it is
}

// TakenSnapshot says what will be copied from a device, in the answer of POST /instances/{ref}/snapshot.
type TakenSnapshot struct {
	SourceURL string `json:"source_url"` // of the artifact: sf://instance/<uuid>/<device>
	Artifact  string `json:"artifact_uuid"`
	Blob      string `json:"blob_uuid"` // that the copy will have
}

// Snapshot is the view of one copy of a device: of its artifact and, above that, of its blob. While it is being made there is
// no blob yet, and state says so; a copy that could not be made is listed for a while, with state error.
type Snapshot struct {
	Blob                // uuid is the artifact's; state initial, created, error
	BlobUUID     string `json:"blob_uuid"`
	Type         string `json:"artifact_type"` // snapshot
	SourceURL    string `json:"source_url"`    // sf://instance/<uuid>/<device>
	Namespace    string `json:"namespace"`
	Shared       bool   `json:"shared"`
	MaxVersions  int    `json:"max_versions"`
	Device       string `json:"device"`        // vda, nvram
	Created      int64  `json:"created"`       // Unix seconds, an integer
	ErrorMessage string `json:"error_message"` // why there is no copy; empty unless state is error
}
