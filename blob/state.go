package blob

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/moves"
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
var next = moves.Table[State]{
	Created: {Deleted},
	Deleted: {},
}

// Next returns the states that s may move to; none if it is final.
func Next(s State) []State { return next.Next(s) }

// move adds to tx that the blob of row is in the state to, and the event that tells of it. It is the only way a recorded
// blob changes its state.
func (m *Manager) move(ctx context.Context, tx *view.Txn, row view.Row[record], to State, message string) error {
	r := row.Value
	if err := next.Check("blob", row.ID, r.state(), to); err != nil {
		return err
	}
	if to == Deleted {
		r.Deleted = time.Now()
	}
	tx.Check(m.rows.At(row, row.ID))
	tx.Do(m.rows.Put(row.ID, r), m.Events.Op(ctx, about(row.ID), event.Status, message, nil))
	return nil
}
