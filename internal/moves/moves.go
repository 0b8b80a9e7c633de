// Package moves is what the state machines of all objects have in common: a table of the moves that are possible, one
// judge of a move, and one way to wait for a state.
package moves

import (
	"slices"

	"github.com/shakenfist/shakenfist/fault"
)

// Table lists, for each state, the states that an object may move to. A state with none is final.
type Table[S ~string] map[S][]S

// Next returns the states that s may move to; none if it is final. The slice is the caller's to keep.
func (t Table[S]) Next(s S) []S { return slices.Clone(t[s]) }

// Check fails with fault.Internal unless an object of the kind may move: a move the table lacks is a defect.
func (t Table[S]) Check(kind, id string, from, to S) error {
	if slices.Contains(t[from], to) {
		return nil
	}
	return fault.New(kind+".move", fault.Internal, id, "the %s cannot go from %s to %s", kind, from, to)
}
