package artifact

import "github.com/shakenfist/shakenfist/internal/ociref"

// isRegistry reports whether a source is an image in a container registry.
func isRegistry(source string) bool { return ociref.Is(source) }

// parseReference fails with fault.Invalid if an image can't come from there.
func parseReference(source string) (ociref.Reference, error) { return ociref.Parse(source) }

// nameOfImage returns the name of an artifact that comes from a registry.
func nameOfImage(source string) string {
	r, err := ociref.Parse(source)
	if err != nil {
		return redact(source)
	}
	return r.Name()
}
