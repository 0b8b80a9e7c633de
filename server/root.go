package server

import (
	"html/template"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// rootPage is for people who follow the address of the API, and for clients that look for the capability words in it.
var rootPage = template.Must(template.New("root").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Shaken Fist REST API</title></head>
<body>
<h1>Shaken Fist REST API</h1>
<p>Release {{.Release}}, zone {{.Zone}}. This address answers programs; use the command line client sf-client, or read
<a href="{{.Below}}apidocs">what it answers</a>, also as <a href="{{.Below}}openapi.json">OpenAPI</a>.</p>
<p>Capabilities:</p>
<ul>
{{range .Capabilities}}<li>{{.}}</li>
{{end}}</ul>
</body>
</html>
`))

// pages are a page that is the same for everybody but for its links.
type pages struct {
	bare, slash raw // for a path without a slash at its end, and with one
}

// of returns the page as the browser needs it that made the request: links are relative to what it takes for the page's
// folder, and so work below whatever path a proxy serves the API.
func (p pages) of(c *call) raw {
	if path, _, _ := strings.Cut(c.RequestURI, "?"); strings.HasSuffix(path, "/") {
		return p.slash
	}
	return p.bare
}

// renderRoot makes the page once.
func renderRoot(release, zone string) pages {
	page := func(below string) raw {
		var b strings.Builder
		err := rootPage.Execute(&b, map[string]any{"Release": release, "Zone": zone, "Capabilities": api.Capabilities(), "Below": below})
		if err != nil {
			panic("server: the root page does not render: " + err.Error()) // a defect of the template
		}
		return raw{contentType: "text/html; charset=utf-8", body: []byte(b.String())}
	}
	return pages{bare: page("api/"), slash: page("")}
}

func (s *server) showRoot(c *call) (any, error) { return s.root.of(c), nil }
