package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"html/template"
	"io"
	"net/http"
	"strings"

	"github.com/swaggest/swgui/v5/static"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// docsPage shows the OpenAPI document to people. All it needs comes from this server.
var docsPage = template.Must(template.New("docs").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Shaken Fist REST API</title>
<link rel="stylesheet" href="{{.}}swagger-ui.css">
<link rel="icon" type="image/png" href="{{.}}favicon-32x32.png">
</head>
<body>
<div id="swagger-ui">This page needs JavaScript. The document that it shows is <a href="{{.}}../openapi.json">openapi.json</a>.</div>
<script src="{{.}}swagger-ui-bundle.js"></script>
<script src="{{.}}start.js"></script>
</body>
</html>
`))

// docsStart starts the page. The document lies beside the folder of this script, wherever that is.
const docsStart = `"use strict";
const document_url = new URL("../openapi.json", document.currentScript.src).href;
window.ui = SwaggerUIBundle({
  url: document_url,
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "none",
  validatorUrl: null,
});
`

// docsPolicy lets the page use what this server has, and nothing else; nobody may show it within another page.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// renderDocs makes the page once.
func renderDocs() pages {
	page := func(folder string) raw {
		var b strings.Builder
		if err := docsPage.Execute(&b, folder); err != nil {
			panic("server: the page of the API does not render: " + err.Error()) // a defect of the template
		}
		return raw{contentType: "text/html; charset=utf-8", body: []byte(b.String()), header: map[string]string{
			"Content-Security-Policy": docsPolicy, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		}}
	}
	return pages{bare: page("apidocs/"), slash: page("./")}
}

func (s *server) showPage(c *call) (any, error) { return s.docs.of(c), nil }

// docsTypes are the files that the page needs.
var docsTypes = map[string]string{
	"swagger-ui.css": "text/css; charset=utf-8", "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
	"start.js": "text/javascript; charset=utf-8", "favicon-32x32.png": "image/png",
}

// docsFile is the route of the files of the page. It is part of the page, and not of the API.
func docsFile() route {
	return route{method: http.MethodGet, pattern: api.PathAPIDocs + "/{file}", who: nobody, handle: showDocsFile, stateless: true}
}

func showDocsFile(c *call) (any, error) {
	name := c.PathValue("file")
	contentType, ok := docsTypes[name]
	if !ok {
		return nil, fault.New("server.docsFile", fault.NotFound, "", "not found: there is no such path")
	}
	answer := raw{contentType: contentType, header: map[string]string{
		"Cache-Control": "public, max-age=3600", "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff",
	}}
	if name == "start.js" {
		answer.body = []byte(docsStart)
		return answer, nil
	}
	content, err := static.FS.ReadFile(name)
	if err == nil {
		answer.body = content
		return answer, nil
	}
	if content, err = static.FS.ReadFile(name + ".gz"); err != nil {
		return nil, fault.Wrap("server.docsFile", name, err)
	}
	if strings.Contains(c.Header.Get("Accept-Encoding"), "gzip") {
		answer.body, answer.header["Content-Encoding"] = content, "gzip"
		return answer, nil
	}
	answer.body, err = unzipped(content)
	return answer, fault.Wrap("server.docsFile", name, err)
}

func unzipped(content []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// tagged is an answer that clients may keep, and then ask whether it is still the same.
func tagged(contentType string, body []byte) raw {
	sum := sha256.Sum256(body)
	return raw{contentType: contentType, body: body, header: map[string]string{
		"ETag": `"` + hex.EncodeToString(sum[:16]) + `"`, "Cache-Control": "no-cache",
	}}
}
