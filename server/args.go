package server

import (
	"fmt"
)

// argKind says what an argument's value must be.
type argKind string

// The kinds of argument. JSON null is the same as no argument for all of them.
const (
	argText    argKind = "string"
	argBool    argKind = "boolean" // anything; judged by truthiness
	argInt     argKind = "integer" // a whole number, or its decimal text
	argList    argKind = "array"
	argObject  argKind = "object"
	argAny     argKind = "any"
	argIgnored argKind = "ignored" // older clients send it; it means nothing
)

// arg describes an argument of a route, or a field of an object that is an argument.
type arg struct {
	name    string
	kind    argKind
	must    bool     // required; missing it is an error
	missing string   // the error when it is; "" for a general one
	empty   bool     // "" is the same as no argument
	doc     string   // what it means: unit, default
	among   []string // the only texts that work; nil: others do too
	of      []arg    // the fields of an object, or of each object in a list
	texts   bool     // a list is one of strings
	example any      // a value of the wire that works; nil: whoever reads the documentation can make one up
}

// args are the arguments of a request: string, bool, int, []any, map[string]any or, for argAny, any JSON value.
// Numbers inside of lists, objects and any are of type json.Number.
type args map[string]any

// text returns a string argument, "" if there is none.
func (a args) text(name string) string {
	s, _ := a[name].(string)
	return s
}

// has reports whether the argument was given, other than by null.
func (a args) has(name string) bool {
	_, ok := a[name]
	return ok
}

// flag returns a boolean argument, otherwise if there is none.
func (a args) flag(name string, otherwise bool) bool {
	if b, ok := a[name].(bool); ok {
		return b
	}
	return otherwise
}

// integer returns an integer argument, otherwise if there is none.
func (a args) integer(name string, otherwise int) int {
	if n, ok := a[name].(int); ok {
		return n
	}
	return otherwise
}

// list returns a list argument, nil if there is none.
func (a args) list(name string) []any {
	l, _ := a[name].([]any)
	return l
}

// object returns an object argument, nil if there is none.
func (a args) object(name string) map[string]any {
	o, _ := a[name].(map[string]any)
	return o
}

// fieldName names the nth entry of a list argument, counted from 0, in errors.
func fieldName(list string, n int) string { return fmt.Sprintf("%s %d", list, n) }
