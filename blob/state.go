package blob

import (
	"context"
	"slices"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// State is a blob's state, as the API shows it.
type State string

// The states of a blob.
const (
	Created State = "created" // whole, checked, and referred to
	Deleted State = "deleted" // nobody refers to it; its files are gone or going
)

// next lists the moves. A state with none is final.
var next = map[State][]State{
	Created: {Deleted},
	Deleted: {},
}

// Next returns the states that s may move to; none if it is final.
func Next(s State) []State { return slices.Clone(next[s]) }

// move adds to tx that the blob of row is in the state to, and the event that tells of it. It is the only way a recorded
// blob changes its state.
func (m *Manager) move(ctx context.Context, tx *view.Txn, row view.Row[record], to State, message string) error {
	r := row.Value
	if !slices.Contains(next[r.state()], to) {
		return fault.New("blob.move", fault.Internal, row.ID, "a blob cannot go from %s to %s", r.state(), to)
	}
	if to == Deleted {
		r.Deleted = time.Now()
	}
	tx.Check(m.rows.At(row, row.ID))
	tx.Do(m.rows.Put(row.ID, r), m.Events.Op(ctx, about(row.ID), event.Status, message, nil))
	return nil
}
