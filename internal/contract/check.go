package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Check says how a body of status 200 differs from what a row's Body promises: a key too many or too few, a number of the
// wrong kind or in exponent form, another version.
func Check(body []byte, want string) error {
	if strings.HasPrefix(want, "media ") { // not JSON; golden files have the bytes
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("the body is no JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body is more than one JSON value")
	}
	var all error
	for choice := range strings.SplitSeq(want, " or ") {
		err := check("", v, choice)
		if err == nil {
			return nil
		}
		all = errors.Join(all, err)
	}
	return all
}

var (
	whole   = regexp.MustCompile(`^-?[0-9]+$`)
	decimal = regexp.MustCompile(`^-?[0-9]+\.[0-9]+$`)
)

// check compares a value with a type of shapes; at says where it stands.
func check(at string, v any, want string) error {
	want = strings.TrimSuffix(want, "~")
	if optional, ok := strings.CutSuffix(want, "?"); ok {
		if v == nil {
			return nil
		}
		want = optional
	}
	var ok bool
	switch {
	case want == "any":
		return exact(at, v)
	case want == "null":
		ok = v == nil
	case want == "string":
		_, ok = v.(string)
	case want == "bool":
		_, ok = v.(bool)
	case want == "int", want == "float":
		return number(at, v, want)
	case want == "object":
		if _, ok = v.(map[string]any); ok {
			return exact(at, v)
		}
	case want[0] == '[':
		return list(at, v, want[1:len(want)-1])
	case want[0] == '{':
		return values(at, v, want[1:len(want)-1])
	default:
		return shape(at, v, want)
	}
	if !ok {
		return fmt.Errorf("%s is %v, want %s", name(at), v, want)
	}
	return nil
}

func number(at string, v any, want string) error {
	form := whole
	if want == "float" {
		form = decimal
	}
	if n, ok := v.(json.Number); !ok || !form.MatchString(n.String()) {
		return fmt.Errorf("%s is %v, want a number of the form %s", name(at), v, want)
	}
	return nil
}

func list(at string, v any, of string) error {
	entries, ok := v.([]any)
	if !ok {
		return fmt.Errorf("%s is %v, want a list of %s", name(at), v, of)
	}
	var all error
	for i, e := range entries {
		all = errors.Join(all, check(at+"["+strconv.Itoa(i)+"]", e, of))
	}
	return all
}

func values(at string, v any, of string) error {
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is %v, want an object whose values are %s", name(at), v, of)
	}
	var all error
	for _, key := range slices.Sorted(maps.Keys(object)) {
		all = errors.Join(all, check(at+"."+key, object[key], of))
	}
	return all
}

// shape compares a value with a body of shapes.
func shape(at string, v any, want string) error {
	fields, known := shapes()[want]
	object, ok := v.(map[string]any)
	if !known || !ok {
		return fmt.Errorf("%s is %v, want %s", name(at), v, want)
	}
	var all error
	missing := maps.Clone(object)
	for f := range strings.SplitSeq(fields, ",") {
		key, of, _ := strings.Cut(strings.TrimSpace(f), ":")
		value, there := object[key]
		delete(missing, key)
		switch {
		case there:
			all = errors.Join(all, check(at+"."+key, value, of))
		case !strings.HasSuffix(of, "~"):
			all = errors.Join(all, fmt.Errorf("%s has no key %q", name(at), key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(missing)) {
		all = errors.Join(all, fmt.Errorf("%s has a key %q that clients don't expect", name(at), key))
	}
	if n, carries := versions()[want]; carries && fmt.Sprint(object["version"]) != strconv.Itoa(n) {
		all = errors.Join(all, fmt.Errorf("%s has version %v, want %d", name(at), object["version"], n))
	}
	return all
}

// exact refuses numbers in exponent form, which clients with whole numbers can't read.
func exact(at string, v any) error {
	var all error
	switch v := v.(type) {
	case json.Number:
		if strings.ContainsAny(v.String(), "eE") {
			return fmt.Errorf("%s is %s, in exponent form", name(at), v)
		}
	case []any:
		for i, e := range v {
			all = errors.Join(all, exact(at+"["+strconv.Itoa(i)+"]", e))
		}
	case map[string]any:
		for key, e := range v {
			all = errors.Join(all, exact(at+"."+key, e))
		}
	}
	return all
}

func name(at string) string {
	if at == "" {
		return "the body"
	}
	return strings.TrimPrefix(at, ".")
}
