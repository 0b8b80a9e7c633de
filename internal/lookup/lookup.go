// Package lookup finds an object by what a user typed: a UUID or a name.
package lookup

import (
	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/fault"
)

// Finder says how objects of one kind are found.
type Finder[T any] struct {
	Kind string // "instance"; part of the error texts
	// ByID returns an object in whatever state.
	ByID func(id string) (T, bool)
	// ByName returns the active objects of a name, whoever owns them.
	ByName func(name string) []T
	// Namespace returns an object's owner.
	Namespace func(T) string
	// Tiers rank what a caller may see, best first; a name is looked for in one tier after the other. The last tier must
	// contain the others: it decides about UUIDs.
	Tiers []func(owner string, object T) bool
}

// UUID returns text as a UUID in its usual form, if it is one; dashes are optional.
func UUID(text string) (string, bool) {
	if len(text) != 36 && len(text) != 32 {
		return "", false
	}
	id, err := uuid.Parse(text)
	return id.String(), err == nil
}

// Find returns the object that ref means to the caller. A UUID is looked up in any state; a name among active objects.
// It fails with fault.NotFound, also for what the caller may not see, and with fault.Invalid if a name is ambiguous.
func (f Finder[T]) Find(caller, ref string) (T, error) {
	var none T
	all := f.Tiers[len(f.Tiers)-1]
	if id, ok := UUID(ref); ok {
		if o, ok := f.ByID(id); ok {
			if all(f.Namespace(o), o) {
				return o, nil
			}
			return none, f.notFound(ref)
		}
	}
	named := f.ByName(ref)
	for _, tier := range f.Tiers {
		var hits []T
		for _, o := range named {
			if tier(f.Namespace(o), o) {
				hits = append(hits, o)
			}
		}
		switch len(hits) {
		case 0:
		case 1:
			return hits[0], nil
		default:
			return none, fault.New(f.Kind+".Find", fault.Invalid, ref, "multiple %ss have the name %.80q in namespace %q", f.Kind, ref, caller)
		}
	}
	return none, f.notFound(ref)
}

func (f Finder[T]) notFound(ref string) error {
	return fault.New(f.Kind+".Find", fault.NotFound, ref, "%s not found", f.Kind)
}
