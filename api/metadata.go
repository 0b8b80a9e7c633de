package api

// SetMetadata is the body of POST …/metadata.
type SetMetadata struct {
	Key   string `json:"key"`
	Value any    `json:"value"` // any JSON value but the empty ones: "", 0, false, [], {} and null
}

// MetadataValue is the body of PUT …/metadata/{key}.
type MetadataValue struct {
	Value any `json:"value"` // as in SetMetadata
}
