package artifact

import (
	"context"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/moves"
	"github.com/shakenfist/shakenfist/internal/view"
)

// State is an artifact's state, as the API shows it.
type State string

// The states of an artifact.
const (
	Initial State = "initial" // being fetched or copied, and there is no version yet
	Created State = "created" // usable
	Error   State = "error"   // could not be fetched; Artifact.Error says why. Asking for it tries again
	Deleted State = "deleted" // its versions are gone or going
)

// next lists the moves. A state with none is final.
var next = moves.Table[State]{
	Initial: {Created, Error, Deleted},
	Created: {Error, Deleted},            // Error if the content was lost on every node and can't be fetched again
	Error:   {Initial, Created, Deleted}, // Created if it gets a version otherwise than by its source
	Deleted: {},
}

// Next returns the states that s may move to; none if it is final.
func Next(s State) []State { return next.Next(s) }

// stateOf is an artifact's state by what is wanted and what was observed.
func stateOf(r record, s status) State {
	switch {
	case !r.Deleted.IsZero():
		return Deleted
	case s.State == Created:
		return Created
	case s.Done < r.Fetch.Generation, s.State == "":
		return Initial
	}
	return s.State
}

// move adds to tx the event that an artifact goes from one state to another, or stays in it. Every change of an artifact
// passes here; a move the table lacks is a defect.
func (m *Manager) move(ctx context.Context, tx *view.Txn, id string, from, to State, t event.Type, message string, extra map[string]any) error {
	if from != to {
		if err := next.Check("artifact", id, from, to); err != nil {
			return err
		}
	}
	tx.Do(m.Events.Op(ctx, about(id), t, message, extra))
	return nil
}
