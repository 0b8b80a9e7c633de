package node

import (
	"time"

	"github.com/shakenfist/shakenfist/internal/moves"
	"github.com/shakenfist/shakenfist/internal/view"
)

// State is a node's state, as the API shows it.
type State string

// The states of a node.
const (
	Created  State = "created"  // alive and taking part
	Stopping State = "stopping" // ending on request; gets nothing new
	Stopped  State = "stopped"  // ended on request
	Missing  State = "missing"  // its lease ran out without a word
	Error    State = "error"    // given up: what it ran is counted as lost
	Deleted  State = "deleted"  // an operator said that it will not come back. It is created again if it does
)

// next lists the moves. Missing is what a view shows of a node that is alive by its record and has no lease.
var next = moves.Table[State]{
	Created:  {Stopping, Stopped, Missing, Error, Deleted},
	Stopping: {Created, Stopped, Missing, Error, Deleted},
	Stopped:  {Created, Stopping, Error, Deleted},
	Missing:  {Created, Stopping, Error, Deleted},
	Error:    {Created, Stopping, Deleted},
	Deleted:  {Created, Stopping},
}

// Next returns the states that s may move to.
func Next(s State) []State { return next.Next(s) }

// move returns the record of a node that goes from a state to another, now. A node that is there for the first time comes
// from "". A move the table lacks is a defect.
func move(row view.Row[record], from, to State) (record, error) {
	r := row.Value
	if from != to && from != "" {
		if err := next.Check("node", row.ID, from, to); err != nil {
			return r, err
		}
	}
	r.State, r.Changed, r.Cleared = to, time.Now(), false
	return r, nil
}
