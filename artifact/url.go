package artifact

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/ociref"
)

// maxURL bounds URLs, in bytes: signed ones are long.
const maxURL = 4096

// The shorthands: cirros is not where the others are.
var (
	shorthand = regexp.MustCompile(`^(centos|debian|fedora|rocky|ubuntu)[A-Za-z0-9:._-]{0,80}$`)
	cirros    = regexp.MustCompile(`^cirros(:[0-9]+\.[0-9]+\.[0-9]+)?$`)
)

// validateURL fails with fault.Invalid if an image can't come from there, and with fault.Forbidden if it may not for this
// namespace.
func validateURL(text, namespace string) error {
	const op = "artifact.validateURL"
	switch {
	case text == "":
		return fault.New(op, fault.Invalid, "", "url is missing")
	case len(text) > maxURL:
		return fault.New(op, fault.Invalid, "", "url has %d bytes, at most %d are allowed", len(text), maxURL)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }):
		return fault.New(op, fault.Invalid, "", "url has a blank or a control character; write %%20 for a blank")
	case cirros.MatchString(text), shorthand.MatchString(text):
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fault.New(op, fault.Invalid, "", "url %.80q cannot be understood", redact(text))
	case u.Scheme == "file":
		return validateFile(u, namespace)
	case ociref.Is(text):
		_, err := ociref.Parse(text)
		return err
	case u.Scheme != "http" && u.Scheme != "https":
		return fault.New(op, fault.Invalid, "",
			"url %.80q is neither an http://, https:// or oci:// URL nor a shorthand such as cirros:0.6.3 or debian:12", redact(text))
	case u.Hostname() == "":
		return fault.New(op, fault.Invalid, "", "url %.80q names no host", redact(text))
	}
	return nil
}

// redact returns a URL without what may be secret in it: user, password, query, fragment. Nothing else of a URL goes to
// events, errors and logs.
func redact(text string) string {
	if strings.HasPrefix(text, scheme) {
		return text // has a name, and no secrets
	}
	u, err := url.Parse(text)
	if err != nil {
		scheme, _, ok := strings.Cut(text, "://")
		if !ok {
			return "(unreadable)"
		}
		return scheme + "://(unreadable)"
	}
	hidden := u.RawQuery != ""
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	if hidden {
		return u.String() + "?…"
	}
	return u.String()
}

// nameOf returns the name of an artifact that is given none: the last part of its source's path.
func nameOf(text string) string {
	if ociref.Is(text) {
		return nameOfImage(text)
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Scheme == "" {
		return text // a shorthand
	}
	if name := path.Base(u.Path); name != "." && name != "/" {
		return name
	}
	return u.Hostname()
}
