package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// AppendJSON appends the JSON of v to dst, byte for byte what package json writes without the escapes that only matter inside
// HTML. It takes a fraction of the time for the views that lists are made of: there, package json reads what each
// json.Marshaler wrote once more, at every depth.
func AppendJSON(dst []byte, v any) ([]byte, error) { return views.append(dst, reflect.ValueOf(v)) }

// views encodes what lists are made of. It never changes.
var views = newEncoder(reflect.TypeFor[List[any]](), //nolint:gochecknoglobals // made once, at init
	reflect.TypeFor[Instance](), reflect.TypeFor[List[Instance]](), reflect.TypeFor[Interface](), reflect.TypeFor[List[Interface]](),
	reflect.TypeFor[Network](), reflect.TypeFor[List[Network]]())

// encoder knows how to append values of some types, and leaves all others to package json.
type encoder struct{ known map[reflect.Type]appender }

// appender appends a value of one type.
type appender func(dst []byte, v reflect.Value) ([]byte, error)

func newEncoder(types ...reflect.Type) *encoder {
	e := &encoder{known: map[reflect.Type]appender{}}
	for _, t := range types {
		e.known[t] = e.of(t)
	}
	return e
}

// append appends a value of any type.
func (e *encoder) append(dst []byte, v reflect.Value) ([]byte, error) {
	if v.IsValid() {
		if f, ok := e.known[v.Type()]; ok {
			return f(dst, v)
		}
	}
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		return e.append(dst, v.Elem())
	}
	return appendOther(dst, v)
}

// of returns what appends values of type t.
func (e *encoder) of(t reflect.Type) appender {
	if t.Kind() == reflect.Pointer {
		return orNull(e.of(t.Elem()))
	}
	if t == reflect.TypeFor[Null]() {
		return appendNull
	}
	_, collection := reflect.TypeAssert[interface{ none() string }](reflect.Zero(t))
	marshaler := reflect.TypeFor[json.Marshaler]()
	if !collection && (t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler)) {
		return appendOther
	}
	switch t.Kind() { //nolint:exhaustive // all others are package json's
	case reflect.String:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return appendText(dst, v.String()) }
	case reflect.Int:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendInt(dst, v.Int(), 10), nil }
	case reflect.Bool:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Bool()), nil }
	case reflect.Interface:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return e.append(dst, v.Elem()) }
	case reflect.Struct:
		return e.ofStruct(t)
	}
	if collection && t.Kind() == reflect.Slice {
		return appendList(e.of(t.Elem()))
	}
	if collection {
		return appendMap
	}
	return appendOther
}

func appendOther(dst []byte, v reflect.Value) ([]byte, error) {
	if !v.IsValid() {
		return appendNull(dst, v)
	}
	text, err := marshal(v.Interface())
	return append(dst, text...), err
}

func appendNull(dst []byte, _ reflect.Value) ([]byte, error) { return append(dst, "null"...), nil }

func orNull(f appender) appender {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return appendNull(dst, v)
		}
		return f(dst, v.Elem())
	}
}

// appendMap is for maps that are {} when they are nil. Few views have one that is not empty.
func appendMap(dst []byte, v reflect.Value) ([]byte, error) {
	if v.Len() == 0 {
		return append(dst, "{}"...), nil
	}
	return appendOther(dst, v)
}

func appendList(f appender) appender {
	return func(dst []byte, v reflect.Value) (_ []byte, err error) {
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			began := len(dst)
			if dst, err = f(dst, v.Index(i)); err != nil {
				return dst, err
			}
			if i == 0 { // the others are about as long
				dst = slices.Grow(dst, (v.Len()-1)*(len(dst)-began)*9/8)
			}
		}
		return append(dst, ']'), nil
	}
}

// field is a field of a struct.
type field struct {
	at     int
	name   string // as JSON, with the colon
	empty  bool   // leave it out when it is empty
	append appender
}

// ofStruct knows names and omitempty; a struct with anything else is package json's.
func (e *encoder) ofStruct(t reflect.Type) appender {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" && options == "" {
			continue
		}
		if f.Anonymous || !f.IsExported() || name == "" || options != "" && options != "omitempty" {
			return appendOther
		}
		fields = append(fields, field{at: i, name: strconv.Quote(name) + ":", empty: options != "", append: e.of(f.Type)})
	}
	return func(dst []byte, v reflect.Value) (_ []byte, err error) {
		dst = append(dst, '{')
		began := len(dst)
		for i := range fields {
			f := &fields[i]
			value := v.Field(f.at)
			if f.empty && isEmpty(value) {
				continue
			}
			if len(dst) > began {
				dst = append(dst, ',')
			}
			dst = append(dst, f.name...)
			if dst, err = f.append(dst, value); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
}

// isEmpty says what omitempty leaves out.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() { //nolint:exhaustive // a struct is never empty
	case reflect.Slice, reflect.Map, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func appendText(dst []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			text, err := marshal(s)
			return append(dst, text...), err
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"'), nil
}
