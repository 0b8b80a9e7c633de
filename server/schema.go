package server

import (
	_ "embed"
	"encoding/json"
	"path"
	"reflect"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// fieldDocs are the comments of the types of package api and of their fields, by "Type" and "Type.Field". They are taken
// from the source by go test -update.
//
//go:embed fielddocs.json
var fieldDocs []byte

// schemas are JSON schemas of Go types, as encoding/json writes their values.
type schemas struct {
	byName object            // of struct types, referred to by others
	docs   map[string]string // as fieldDocs
}

func newSchemas() *schemas {
	s := &schemas{byName: object{}}
	if err := json.Unmarshal(fieldDocs, &s.docs); err != nil {
		panic("server: fielddocs.json does not unmarshal: " + err.Error()) // a defect of what go test -update wrote
	}
	return s
}

// of returns the schema of route.out.
func (s *schemas) of(out any) object {
	if out == nil {
		return object{"type": "null"}
	}
	if alternatives, ok := out.(either); ok {
		var list []object
		for _, a := range alternatives {
			list = append(list, s.of(a))
		}
		return object{"anyOf": list}
	}
	return s.ofType(reflect.TypeOf(out))
}

// ofType returns the schema of what values of a type look like. A list or an object is null when it is nil, unless its type
// sees to that.
func (s *schemas) ofType(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[api.Time]():
		return object{"type": "number", "description": "Unix seconds"}
	case reflect.TypeFor[api.Float]():
		return object{"type": "number"}
	case reflect.TypeFor[api.Null]():
		return object{"type": "null"}
	}
	marshals := t.Implements(reflect.TypeFor[json.Marshaler]())
	switch t.Kind() { //nolint:exhaustive // the API has no others
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Pointer:
		return orNull(s.ofType(t.Elem()))
	case reflect.Slice:
		list := object{"type": "array", "items": s.ofType(t.Elem())}
		if marshals {
			return list
		}
		return orNull(list)
	case reflect.Map:
		return s.ofMap(t, marshals)
	case reflect.Struct:
		return s.ofStruct(t)
	case reflect.Interface:
		return object{}
	default:
		panic("server: the API has no values of type " + t.String()) // a defect of a route
	}
}

func (s *schemas) ofMap(t reflect.Type, marshals bool) object {
	m := object{"type": "object", "additionalProperties": s.ofType(t.Elem())}
	if t.Key().Kind() == reflect.Int {
		m["propertyNames"] = object{"pattern": "^[0-9]+$"}
	}
	if marshals {
		return m
	}
	return orNull(m)
}

// ofStruct refers to the schema of a struct, which it makes the first time.
func (s *schemas) ofStruct(t reflect.Type) object {
	name := capital(t.Name())
	if _, ok := s.byName[name]; !ok {
		schema := object{"type": "object"}
		s.byName[name] = schema // before its fields, among which it may be
		properties, required := object{}, []string{}
		s.fields(t, false, properties, &required)
		schema["properties"] = properties
		if len(required) > 0 {
			schema["required"] = required
		}
		if doc := s.doc(t, ""); doc != "" {
			schema["description"] = doc
		}
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// fields adds the fields of a struct, with those of the structs in it that have no name of their own. Those of an embedded
// pointer are all optional.
func (s *schemas) fields(t reflect.Type, optional bool, properties object, required *[]string) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case f.Anonymous && name == "":
			s.fields(inner, optional || inner != f.Type, properties, required)
			continue
		case name == "-" || !f.IsExported():
			continue
		}
		var schema object
		if absent := strings.Contains(options, "omit"); absent {
			schema = s.ofType(inner) // never null: it would have been left out
		} else {
			schema = s.ofType(f.Type)
			if !optional {
				*required = append(*required, name)
			}
		}
		if doc := s.doc(t, f.Name); doc != "" {
			if unit, ok := schema["description"].(string); ok {
				doc = unit + "; " + doc
			}
			schema["description"] = doc
		}
		properties[name] = schema
	}
}

// doc returns the comment of a type, or of one of its fields.
func (s *schemas) doc(t reflect.Type, field string) string {
	if path.Base(t.PkgPath()) != "api" {
		return ""
	}
	if field == "" {
		return s.docs[t.Name()]
	}
	return s.docs[t.Name()+"."+field]
}

// orNull returns a schema for what the given one describes, and null.
func orNull(schema object) object {
	if name, ok := schema["type"].(string); ok {
		schema["type"] = []string{name, "null"}
		return schema
	}
	if len(schema) == 0 {
		return schema
	}
	return object{"anyOf": []object{schema, {"type": "null"}}}
}

// argsSchema is the schema of an object with these arguments or fields.
func argsSchema(known []arg) object {
	properties, required := object{}, []string{}
	for _, a := range known {
		if a.kind == argIgnored {
			continue
		}
		property := a.schema()
		if a.doc != "" {
			property["description"] = a.doc
		}
		properties[a.name] = property
		if a.must {
			required = append(required, a.name)
		}
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// schema is the strict form of what the decoder takes for an argument, with null for none where it may be absent.
func (a arg) schema() object {
	schema := object{}
	if a.kind != argAny {
		schema["type"] = string(a.kind)
	}
	switch {
	case a.kind == argInt:
		schema["minimum"], schema["maximum"] = -maxWhole, maxWhole
	case a.kind == argList && a.texts:
		schema["items"] = object{"type": "string"}
	case a.kind == argList && a.of != nil:
		schema["items"] = argsSchema(a.of)
	case a.kind == argList:
		schema["items"] = object{}
	case a.kind == argObject && a.of != nil:
		schema = argsSchema(a.of)
	}
	if !a.must {
		schema = orNull(schema)
	}
	if a.among != nil {
		schema["enum"] = a.values()
	}
	if a.example != nil {
		schema["examples"] = []any{a.example}
	}
	return schema
}

// values are those of an argument that can have no others.
func (a arg) values() []any {
	var all []any
	for _, text := range a.among {
		all = append(all, text)
	}
	if !a.must {
		all = append(all, nil)
	}
	return all
}
