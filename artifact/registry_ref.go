package artifact

import "github.com/shakenfist/shakenfist/internal/ociref"

// nameOfImage returns the name of an artifact that comes from a registry.
func nameOfImage(source string) string {
	r, err := ociref.Parse(source)
	if err != nil {
		return redact(source)
	}
	return r.Name()
}
