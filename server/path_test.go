package server

import (
	"net/http"
	"net/url"
	"testing"
)

func TestPathsAreMendedAndNeverRedirected(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"/":                       "/",
		"//":                      "/",
		"/api":                    "/",
		"/api/":                   "/",
		"/api//instances":         "/instances",
		"//api/instances/":        "/instances",
		"/api/api":                "/api",
		"/apiary":                 "/apiary",
		"/instances/":             "/instances",
		"//instances///web1//":    "/instances/web1",
		"/instances/../networks":  "/instances/%2E%2E/networks",
		"/instances/./x":          "/instances/%2E/x",
		"/instances/%2e%2e":       "/instances/%2E%2E",
		"/artifacts/demo%2Fbase":  "/artifacts/demo%2Fbase",
		"/artifacts/a%2F%2Fb\"<>": "/artifacts/a%2F%2Fb%22%3C%3E",
		"/instances/a%20b":        "/instances/a%20b",
		"/instances/ä":            "/instances/%C3%A4",
	} {
		u, err := url.ParseRequestURI("http://host" + given)
		if err != nil {
			t.Fatal(err)
		}
		r := normalised(&http.Request{Method: http.MethodGet, URL: u})
		if got := r.URL.EscapedPath(); got != want {
			t.Errorf("%s became %s, want %s", given, got, want)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("/instances/{ref}", func(http.ResponseWriter, *http.Request) {})
		if _, pattern := mux.Handler(r); pattern == "" {
			t.Errorf("%s is redirected", given)
		}
	}
}
