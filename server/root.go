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
<p>Release {{.Release}}, zone {{.Zone}}. This address answers programs; use the command line client sf-client.</p>
<p>Capabilities:</p>
<ul>
{{range .Capabilities}}<li>{{.}}</li>
{{end}}</ul>
</body>
</html>
`))

// renderRoot makes the page once: it is the same for everybody.
func renderRoot(release, zone string) raw {
	var b strings.Builder
	err := rootPage.Execute(&b, map[string]any{"Release": release, "Zone": zone, "Capabilities": api.Capabilities()})
	if err != nil {
		panic("server: the root page does not render: " + err.Error()) // a defect of the template
	}
	return raw{contentType: "text/html; charset=utf-8", body: []byte(b.String())}
}

func (s *server) showRoot(*call) (any, error) { return s.root, nil }
