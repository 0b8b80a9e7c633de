package api

// Upload is the view of an upload: content that is sent piece by piece, until it becomes a version of an artifact.
type Upload struct {
	UUID      string `json:"uuid"`
	Node      string `json:"node"` // that has what was sent
	CreatedAt Time   `json:"created_at"`
	State     string `json:"state"` // created
	Metadata  Object `json:"metadata"`
	Version   int    `json:"version"` // UploadVersion
}
