package server

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var link = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

func TestTheDocumentationNeedsNobodyElse(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, at := range []string{"/apidocs", "/apidocs/", "/api/apidocs", "/api/apidocs/", "//api//apidocs"} {
		page := l.send(http.MethodGet, at, "", nil)
		require.Equal(t, http.StatusOK, page.status, at)
		require.Regexp(t, `default-src 'none'; script-src 'self';`, page.header.Get("Content-Security-Policy"))
		require.NotContains(t, string(page.body), "<script>")
		require.NotContains(t, string(page.body), "://")
		links := link.FindAllSubmatch(page.body, -1)
		require.Len(t, links, 5)
		base, err := url.Parse(l.url + at)
		require.NoError(t, err)
		for _, m := range links {
			to, err := base.Parse(string(m[1]))
			require.NoError(t, err)
			require.Equal(t, base.Host, to.Host)
			for _, encoding := range []string{"gzip", "identity"} {
				a := l.send(http.MethodGet, to.EscapedPath(), "", nil, "Accept-Encoding", encoding)
				require.Equal(t, http.StatusOK, a.status, "%s links to %s", at, to)
				require.NotEmpty(t, a.body)
			}
		}
	}
}

func TestFilesOfTheDocumentationAreThoseThatItNeeds(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	plain := l.send(http.MethodGet, "/apidocs/swagger-ui-bundle.js", "", nil, "Accept-Encoding", "identity")
	require.Contains(t, string(plain.body), "SwaggerUIBundle")
	require.Empty(t, plain.header.Get("Content-Encoding"))
	small := l.send(http.MethodGet, "/apidocs/swagger-ui-bundle.js", "", nil, "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", small.header.Get("Content-Encoding"))
	require.Equal(t, "Accept-Encoding", small.header.Get("Vary"))
	require.Less(t, len(small.body), len(plain.body)/2)
	require.Contains(t, string(l.send(http.MethodGet, "/apidocs/start.js", "", nil).body), "../openapi.json")
	for _, name := range []string{"swagger-ui.js", "oauth2-redirect.html", "..", "%2e%2e%2fgo.mod", "swagger-ui.css.gz", "a/b"} {
		l.wantError(l.send(http.MethodGet, "/apidocs/"+name, "", nil), http.StatusNotFound, "not found")
	}
}

func TestTheRootPageLeadsToTheDocumentation(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for at, want := range map[string]string{"/": "/apidocs", "/api": "/api/apidocs", "/api/": "/api/apidocs"} {
		base, err := url.Parse(l.url + at)
		require.NoError(t, err)
		var led []string
		for _, m := range link.FindAllSubmatch(l.send(http.MethodGet, at, "", nil).body, -1) {
			to, err := base.Parse(string(m[1]))
			require.NoError(t, err)
			led = append(led, to.Path)
		}
		require.Equal(t, want+" "+strings.TrimSuffix(want, "apidocs")+"openapi.json", strings.Join(led, " "))
	}
}
