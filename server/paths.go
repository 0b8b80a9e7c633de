package server

import (
	"net/http"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// paths finds what serves a path. It is a ServeMux that never redirects, and that takes what is posted below /artifacts/upload
// for uploads: to a ServeMux these look as much like parts of an artifact called upload, and it refuses to have both.
type paths struct {
	mux     *http.ServeMux
	uploads *http.ServeMux
}

func newPaths() *paths { return &paths{mux: http.NewServeMux(), uploads: http.NewServeMux()} }

// Handle registers what serves a pattern.
func (p *paths) Handle(pattern string, h http.Handler) {
	if pattern == api.PathArtifactUpload {
		p.uploads.Handle(pattern, h)
		return
	}
	if before, _, ok := strings.Cut(pattern, "/{name...}"); ok {
		p.mux.HandleFunc(before, notFound) // else ServeMux redirects to the same with a slash
	}
	p.mux.Handle(exact(pattern), h)
}

// exact keeps ServeMux from taking the root for the beginning of every path.
func exact(pattern string) string {
	if pattern == "/" {
		return "/{$}"
	}
	return pattern
}

// Handler returns what serves a request, and its pattern, "" if nothing does.
func (p *paths) Handler(r *http.Request) (http.Handler, string) { return p.of(r).Handler(r) }

// ServeHTTP implements http.Handler.
func (p *paths) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.of(r).ServeHTTP(w, r) }

// of returns where a request is looked up. What is no POST is about an artifact called upload, if there is such a route.
func (p *paths) of(r *http.Request) *http.ServeMux {
	if _, upload := p.uploads.Handler(r); upload == "" {
		return p.mux
	}
	if _, other := p.mux.Handler(r); r.Method == http.MethodPost || other == "" || other == "/" {
		return p.uploads
	}
	return p.mux
}

func notFound(w http.ResponseWriter, r *http.Request) {
	write(w, r, http.StatusNotFound, api.Error{Error: "not found: there is no such path", Status: http.StatusNotFound})
}
