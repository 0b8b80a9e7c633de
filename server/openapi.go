package server

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// object is a JSON object of the OpenAPI document. The encoder sorts its keys, so that the same routes make the same bytes.
type object = map[string]any

// document returns the API as an OpenAPI 3.1 document.
func document(routes []route, release string) []byte {
	schemas := newSchemas()
	paths := object{}
	var tags []string
	for _, rt := range routes {
		name := inDocument(rt.pattern)
		path, ok := paths[name].(object)
		if !ok {
			path = object{}
			paths[name] = path
		}
		path[strings.ToLower(rt.method)] = operation(rt, schemas)
		if !slices.Contains(tags, tagOf(rt.pattern)) {
			tags = append(tags, tagOf(rt.pattern))
		}
	}
	tagObjects := make([]object, len(tags))
	for i, name := range tags {
		tagObjects[i] = object{"name": name}
	}
	text, err := json.Marshal(object{
		"openapi":    "3.1.0",
		"info":       object{"title": "Shaken Fist REST API", "version": release, "description": introduction},
		"servers":    []object{{"url": ".", "description": "where this document is"}},
		"tags":       tagObjects,
		"paths":      paths,
		"components": components(schemas),
	})
	if err != nil {
		panic("server: the OpenAPI document does not marshal: " + err.Error()) // a defect of the routes
	}
	return append(text, '\n')
}

// inDocument is a pattern as OpenAPI has it, which can't say that the last parameter may hold slashes.
func inDocument(pattern string) string { return strings.ReplaceAll(pattern, "...}", "}") }

// introduction is what holds for all operations.
const introduction = `Every success has status 200, and what has nothing to say says null.

Arguments are the members of a JSON object in the body, on every method. They are shown here as query parameters where the
method is GET, since browsers send no body with it, and as the body everywhere else; either way works for either. The body
wins. Null is the same as leaving an argument out. Numbers may be decimal text, and anything is taken for true or false as
scripting languages do. In the query, lists and objects are JSON text. Unknown arguments are refused, by name.

What belongs to others is not there: the answer is 404 and never 403. An object is named by its UUID or by its name.
Status 406 means that the same request will work in a while. Status 503 means that a part of the cloud does not answer.`

func components(s *schemas) object {
	s.of(api.Error{})
	return object{
		"schemas": s.byName,
		"securitySchemes": object{"bearer": object{
			"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "the access_token that POST /auth answers with",
		}},
		"headers": object{"RequestID": object{
			"description": "names the request: the caller's own X-Request-ID, or one that the server made up",
			"schema":      object{"type": "string"},
		}},
	}
}

func operation(rt route, s *schemas) object {
	op := object{
		"operationId": operationID(rt),
		"summary":     rt.summary,
		"description": callers[rt.who],
		"tags":        []string{tagOf(rt.pattern)},
		"security":    []object{},
		"responses":   responses(rt, s),
	}
	if rt.who != nobody {
		op["security"] = []object{{"bearer": []string{}}}
	}
	parameters := pathParameters(rt.pattern)
	if rt.method == http.MethodGet {
		parameters = append(parameters, queryParameters(rt.args)...)
	} else if rt.raw {
		op["requestBody"] = object{"required": true, "content": object{"application/octet-stream": object{}}}
	} else if len(rt.args) > 0 {
		op["requestBody"] = object{
			"required": slices.ContainsFunc(rt.args, func(a arg) bool { return a.must }),
			"content":  object{"application/json": object{"schema": argsSchema(rt.args)}},
		}
	}
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	return op
}

// callers says in words whom a route answers.
var callers = map[who]string{
	nobody:  "Needs no token.",
	anybody: "For every namespace.",
	owner:   "For the object's own namespace and for system.",
	trusted: "For the object's own namespace and for those that it trusts; an artifact that is shared may be read by all.",
	admin:   "For the namespace system.",
}

// operationID is stable as long as method and path are: GET /instances/{ref}/events is getInstancesRefEvents.
func operationID(rt route) string {
	words := strings.FieldsFunc(rt.pattern, func(r rune) bool { return strings.ContainsRune("/{}._", r) })
	if len(words) == 0 {
		words = []string{"root"}
	}
	for i, w := range words {
		words[i] = capital(w)
	}
	return strings.ToLower(rt.method) + strings.Join(words, "")
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// tagOf is the kind of object that a path is about.
func tagOf(pattern string) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(pattern, "/"), "/")
	switch {
	case first == "auth" && rest != "":
		return "namespaces"
	case pattern == api.PathRoot, pattern == api.PathOpenAPI, pattern == api.PathAPIDocs,
		pattern == api.PathHealthz, pattern == api.PathReadyz, pattern == api.PathMetrics:
		return "server"
	}
	return first
}

var inBraces = regexp.MustCompile(`\{([a-z_]+)(?:\.\.\.)?\}`)

// parameterDocs says what stands in a path.
var parameterDocs = map[string]string{
	"ref": "UUID or name", "uuid": "UUID", "node": "name of the node", "namespace": "name of the namespace",
	"algorithm": "sha1, sha256, sha512 or xxh128", "hash": "the checksum, in hexadecimal digits",
	"name": "name", "index": "number of the version", "offset": "number of bytes from the beginning",
	"key": "name of the key", "external": "name of the other namespace",
}

func pathParameters(pattern string) []object {
	var list []object
	for _, m := range inBraces.FindAllStringSubmatch(pattern, -1) {
		doc := parameterDocs[m[1]]
		if strings.HasSuffix(pattern, "/metadata/{key}") && m[1] == "key" {
			doc = "name of the note"
		}
		list = append(list, object{"name": m[1], "in": "path", "required": true, "description": doc, "schema": object{"type": "string"}})
	}
	return list
}

func queryParameters(known []arg) []object {
	var list []object
	for _, a := range known {
		if a.kind == argIgnored {
			continue
		}
		p := object{"name": a.name, "in": "query", "required": a.must, "description": a.doc}
		a.must = true // what is in a query is not null
		if a.kind == argList || a.kind == argObject || a.kind == argAny {
			p["content"] = object{"application/json": object{"schema": a.schema()}}
		} else {
			p["schema"] = a.schema()
		}
		list = append(list, p)
	}
	return list
}

func responses(rt route, s *schemas) object {
	all := object{"200": object{"description": "done", "headers": requestIDHeader(), "content": content(rt.out, s)}}
	for _, status := range rt.statuses() {
		all[strconv.Itoa(status)] = object{
			"description": http.StatusText(status), "headers": requestIDHeader(),
			"content": object{"application/json": object{"schema": object{"$ref": "#/components/schemas/Error"}}},
		}
	}
	return all
}

func requestIDHeader() object {
	return object{api.HeaderRequestID: object{"$ref": "#/components/headers/RequestID"}}
}

func content(out any, s *schemas) object {
	if m, ok := out.(media); ok {
		kind, _, _ := strings.Cut(string(m), ";")
		return object{kind: object{}}
	}
	return object{"application/json": object{"schema": s.of(out)}}
}

// statuses are those of the errors that a route may answer with, ascending. A defect of the server, 500, is none of them.
func (rt route) statuses() []int {
	list := append(slices.Clone(rt.errs), http.StatusBadRequest)
	if rt.who != nobody {
		list = append(list, http.StatusUnauthorized)
	}
	if strings.Contains(rt.pattern, "{") {
		list = append(list, http.StatusNotFound)
	}
	if !rt.stateless {
		list = append(list, http.StatusServiceUnavailable)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// showDocument answers with the OpenAPI document.
func (s *server) showDocument(*call) (any, error) { return s.document(), nil }
