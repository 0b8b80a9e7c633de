package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// arguments are the arguments of a module, or the keys of an object among them. A playbook's templates make text of
// numbers and of booleans, which are therefore taken in that form too. Null and empty text are the same as nothing.
type arguments struct {
	values map[string]any // as encoding/json decodes them, numbers as json.Number
	asked  map[string]bool
	err    error // about the first value that is not of the right type
}

func readArguments(path string) (*arguments, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, failed("Cannot read the arguments: %v", err)
	}
	a := newArguments(nil)
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&a.values); err != nil || a.values == nil {
		return nil, failed("The arguments are not a JSON object: does the module say WANT_JSON?")
	}
	return a, nil
}

func newArguments(values map[string]any) *arguments {
	return &arguments{values: values, asked: map[string]bool{}}
}

// take returns the value of an argument by the first of its names that has one, and that name.
func (a *arguments) take(names []string) (value any, name string) {
	for _, n := range names {
		a.asked[n] = true
		if v := a.values[n]; value == nil && v != nil && v != "" {
			value, name = v, n
		}
	}
	return value, name
}

// wrong remembers the first argument of the wrong type.
func (a *arguments) wrong(name, want string) {
	if a.err == nil {
		a.err = failed("%s must be %s", name, want) // and not what it is: some are secrets
	}
}

// text returns an argument that is text, "" for none. A number is its digits.
func (a *arguments) text(names ...string) string {
	switch v, name := a.take(names); v := v.(type) {
	case nil:
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		a.wrong(name, "text")
	}
	return ""
}

// optional is text that is a pointer, nil for none.
func (a *arguments) optional(names ...string) *string {
	if text := a.text(names...); text != "" {
		return &text
	}
	return nil
}

// number returns an argument that is a whole number, nil for none.
func (a *arguments) number(names ...string) *int {
	v, name := a.take(names)
	if v == nil {
		return nil
	}
	n, err := 0, errors.ErrUnsupported
	switch v := v.(type) {
	case string:
		n, err = strconv.Atoi(v)
	case json.Number:
		n, err = strconv.Atoi(v.String())
	}
	if err != nil {
		a.wrong(name, "a whole number")
		return nil
	}
	return &n
}

// flag returns an argument that is true or false, in any of the words that YAML has for it; nil for none.
func (a *arguments) flag(names ...string) *bool {
	v, name := a.take(names)
	switch strings.ToLower(plain(v)) {
	case "null":
		return nil
	case "true", "yes", "on", "y", "1":
		return new(true)
	case "false", "no", "off", "n", "0":
		return new(false)
	}
	a.wrong(name, "true or false")
	return nil
}

// object returns an argument that is an object, nil for none.
func (a *arguments) object(names ...string) api.Object {
	v, name := a.take(names)
	if v == nil {
		return nil
	}
	o, ok := v.(map[string]any)
	if !ok {
		a.wrong(name, "an object")
	}
	return o
}

// list returns an argument that is a list, nil for none. Anything else is a list of itself.
func (a *arguments) list(names ...string) []any {
	switch v, _ := a.take(names); v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// strange returns the arguments that nobody asked for, but those that Ansible gives every module.
func (a *arguments) strange() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		if !a.asked[name] && !strings.HasPrefix(name, "_ansible_") {
			names = append(names, name)
		}
	}
	return names
}
