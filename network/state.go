package network

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/moves"
	"github.com/shakenfist/shakenfist/internal/view"
)

// State is a network's state, as the API shows it.
type State string

// The states of a network.
const (
	Initial    State = "initial"     // wanted, being made
	Created    State = "created"     // usable
	DeleteWait State = "delete-wait" // its end was asked for; waits for its interfaces to go
	Deleted    State = "deleted"     // nothing is left of it but this record
	Error      State = "error"       // could not be made; Network.Error says why
)

// next lists the moves. A state with none is final.
var next = moves.Table[State]{
	Initial:    {Created, DeleteWait, Deleted, Error},
	Created:    {DeleteWait, Deleted, Error},
	DeleteWait: {Deleted, Error},
	Error:      {DeleteWait, Deleted},
	Deleted:    {},
}

// Next returns the states that s may move to; none if it is final.
func Next(s State) []State { return next.Next(s) }

// move adds to tx that a network is in the state to, and the event that tells of it. It is the only way a status is
// written. A move the table lacks is a defect.
func (m *Manager) move(ctx context.Context, tx *view.Txn, id string, to State, cause, message string) error {
	row, _ := m.statuses.Get(id)
	from := row.Value.State
	if from == "" {
		from = Initial
	}
	if from == to {
		return nil
	}
	if err := next.Check("network", id, from, to); err != nil {
		return err
	}
	tx.Check(m.statuses.At(row, id), m.fence())
	tx.Do(m.statuses.Put(id, status{State: to, Error: cause, Since: time.Now()}),
		m.events.Op(ctx, about(id), event.Status, message, extra("cause", cause)))
	return nil
}

func extra(key, value string) map[string]any {
	if value == "" {
		return nil
	}
	return map[string]any{key: value}
}
