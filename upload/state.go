package upload

import (
	"context"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/moves"
	"github.com/shakenfist/shakenfist/internal/view"
)

// State is an upload's state, as the API shows it.
type State string

// The states of an upload. The record of a deleted one is gone.
const (
	Created State = "created" // can be added to, and made an artifact
	Deleted State = "deleted" // became an artifact, or was given up
)

// next lists the moves. A state with none is final.
var next = moves.Table[State]{
	Created: {Deleted},
	Deleted: {},
}

// Next returns the states that s may move to; none if it is final.
func Next(s State) []State { return next.Next(s) }

// end adds to tx that an upload is deleted, and the event that tells of it. It is the only way an upload ends; its file goes
// when the record has gone.
func (m *Manager) end(ctx context.Context, tx *view.Txn, r row, t event.Type, message string, extra map[string]any) {
	tx.Check(m.rows.At(r, r.ID))
	tx.Do(m.rows.Delete(r.ID), m.Events.Op(ctx, about(r.ID), t, message, extra))
}
