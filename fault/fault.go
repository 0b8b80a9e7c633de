// Package fault is the one error type of the cloud.
//
// An error has a kind, which says what the caller can do about it, an operation, the object it concerns, and a text a
// person can act on. Kinds are errors themselves:
//
//	if errors.Is(err, fault.NotFound) { … }
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind says what a caller can do about an error. It is an error, so that errors.Is(err, fault.Conflict) works.
type Kind string

// The kinds. There are no others.
const (
	Internal     Kind = "internal"     // a defect here, or a fault of the machine nobody foresaw
	Invalid      Kind = "invalid"      // the request is wrong; sending it again is no use
	Unauthorized Kind = "unauthorized" // the caller did not prove who they are
	Forbidden    Kind = "forbidden"    // the caller is known and may not do this
	NotFound     Kind = "not_found"    // there is no such object, or the caller may not know of it
	NotReady     Kind = "not_ready"    // it will work in a while without anybody doing anything
	Conflict     Kind = "conflict"     // the present state rules it out, or somebody else was faster
	Exhausted    Kind = "exhausted"    // no room: capacity, addresses, disk
	Unavailable  Kind = "unavailable"  // a part of the system does not answer; try again later
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return strings.ReplaceAll(string(k), "_", " ") }

// Error is an error of a known kind.
type Error struct {
	Op   string // what was being done, such as "instance.Create"
	Kind Kind
	Ref  string // the object it was done to; "" if none
	Text string // what is wrong, and where it helps what to do; free of secrets, shown to users
	Err  error  // the cause; nil if this is where the error was born
}

// New returns an error of the given kind, born here.
func New(op string, kind Kind, ref, format string, args ...any) error {
	return &Error{Op: op, Kind: kind, Ref: ref, Text: fmt.Sprintf(format, args...)}
}

// Because returns an error of the given kind whose cause is err. The cause's text is part of what users see.
func Because(op string, kind Kind, ref string, err error, format string, args ...any) error {
	return &Error{Op: op, Kind: kind, Ref: ref, Text: fmt.Sprintf(format, args...), Err: err}
}

// Wrap says which operation on which object met err; kind and text stay those of err. Wrap of nil is nil.
func Wrap(op, ref string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Kind: KindOf(err), Ref: ref, Err: err}
}

// Error gives everything known, for logs: operations, object, texts.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Ref != "" {
		b.WriteString(" " + e.Ref)
	}
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is this error's kind. Errors.Is goes on to ask the causes; KindOf is the outermost kind alone.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// KindOf returns the kind of err: that of the outermost Error, Unavailable for an expired or cancelled context,
// and Internal for anything else.
func KindOf(err error) Kind {
	var e *Error
	var k Kind
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.As(err, &k):
		return k
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	}
	return Internal
}

// Text returns what a user should read: the texts of err and of its causes, without operations.
func Text(err error) string {
	var parts []string
	for err != nil {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			return strings.Join(append(parts, textOfAll(joined.Unwrap())), ": ")
		}
		e, ok := err.(*Error) //nolint:errorlint // walks the chain itself
		if !ok {
			parts = append(parts, err.Error())
			break
		}
		if e.Text != "" {
			parts = append(parts, e.Text)
		}
		err = e.Err
	}
	return strings.Join(parts, ": ")
}

// textOfAll is the text of errors that were joined.
func textOfAll(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = Text(err)
	}
	return strings.Join(texts, "; ")
}

// Permanent reports whether trying again is pointless: the request or the object itself is at fault.
func Permanent(err error) bool {
	switch KindOf(err) {
	case Invalid, Unauthorized, Forbidden, NotFound, Exhausted:
		return true
	case Internal, NotReady, Conflict, Unavailable:
		return false
	}
	return false
}
