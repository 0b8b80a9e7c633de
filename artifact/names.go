package artifact

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shakenfist/shakenfist/fault"
)

// maxName bounds names, in bytes.
const maxName = 255

// What the URLs of the scheme sf begin with.
const (
	scheme         = "sf://"
	labelScheme    = scheme + "label/"    // <namespace>/<name>
	uploadScheme   = scheme + "upload/"   // <namespace>/<name>
	snapshotScheme = scheme + "snapshot/" // <UUID of the artifact>
	instanceScheme = scheme + "instance/" // <UUID of the instance>/<device>
	blobScheme     = scheme + "blob/"     // <UUID>
)

// validateName fails with fault.Invalid if a field can't be a name, which is one segment of a path.
func validateName(field, name string) error {
	const op = "artifact.validateName"
	switch {
	case name == "":
		return fault.New(op, fault.Invalid, "", "%s is empty", field)
	case len(name) > maxName:
		return fault.New(op, fault.Invalid, "", "%s has %d bytes, at most %d are allowed", field, len(name), maxName)
	case !utf8.ValidString(name), strings.ContainsFunc(name, isOdd):
		return fault.New(op, fault.Invalid, "", "%s %.80q has a control character, or is not UTF-8", field, name)
	case strings.Contains(name, "/"):
		return fault.New(op, fault.Invalid, "", "%s %.80q has a slash; use another character", field, name)
	case name == ".", name == "..", name != strings.TrimSpace(name):
		return fault.New(op, fault.Invalid, "", "%s %.80q is a dot or two, or begins or ends with a blank; use another name", field, name)
	}
	return nil
}

// isOdd reports whether a character makes names look like others.
func isOdd(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029'
}

// validateSource fails with fault.Invalid if text can't say where uploaded content comes from, and with fault.NotFound if it
// speaks for a namespace that does not trust the caller.
func (m *Manager) validateSource(caller, text string) error {
	const op = "artifact.validateSource"
	switch {
	case len(text) > maxURL:
		return fault.New(op, fault.Invalid, "", "source_url has %d bytes, at most %d are allowed", len(text), maxURL)
	case !utf8.ValidString(text), strings.ContainsFunc(text, isOdd):
		return fault.New(op, fault.Invalid, "", "source_url has a control character, or is not UTF-8")
	case !strings.HasPrefix(text, scheme):
		return nil
	}
	rest, ok := strings.CutPrefix(text, uploadScheme)
	owner, name, named := strings.Cut(rest, "/")
	if !ok || !named {
		return fault.New(op, fault.Invalid, "", "source_url %.80q: of %s only %s<namespace>/<name> can be uploaded", text, scheme, uploadScheme)
	}
	if err := validateName("source_url: the name", name); err != nil {
		return err
	}
	if !m.Namespaces.Trusts(owner, caller) {
		return errNoNamespace(op, owner)
	}
	return nil
}

// errNoNamespace says no more to those whom the namespace does not trust.
func errNoNamespace(op, name string) error {
	return fault.New(op, fault.NotFound, name, "namespace not found")
}
