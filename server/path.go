package server

import (
	"net/http"
	"net/url"
	"strings"
)

// normalised returns r with the path that the routes know: without the prefix /api under which some deployments put the
// API, without repeated and trailing slashes. Clients take a redirect for a new base address, or turn its POST into a
// GET, so a path is mended here and never by a redirect. An escaped slash stays part of its segment.
func normalised(r *http.Request) *http.Request {
	u := *r.URL
	u.Path, u.RawPath = normalise(r.URL)
	r = r.WithContext(r.Context()) // a shallow copy
	r.URL = &u
	return r
}

func normalise(u *url.URL) (path, escaped string) {
	segments := strings.Split(u.Path, "/")
	if u.RawPath != "" {
		segments = strings.Split(u.RawPath, "/")
		for i, s := range segments {
			if plain, err := url.PathUnescape(s); err == nil {
				segments[i] = plain
			}
		}
	}
	var plain, raw strings.Builder
	first := true
	for _, s := range segments {
		if s == "" {
			continue
		}
		prefix := first && s == "api"
		first = false
		if prefix {
			continue
		}
		plain.WriteString("/" + s)
		raw.WriteString("/" + escapeSegment(s))
	}
	if plain.Len() == 0 {
		return "/", "/"
	}
	return plain.String(), raw.String()
}

// escapeSegment escapes dots too where they would be a walk up the path: ServeMux redirects such paths.
func escapeSegment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}
