package instance

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/moves"
	"github.com/shakenfist/shakenfist/internal/view"
)

// State is an instance's state, as the API shows it.
type State string

// The states of an instance.
const (
	Initial    State = "initial"     // wanted and placed; its node has not begun
	Creating   State = "creating"    // being built
	Created    State = "created"     // built; Instance.Power says whether it runs
	DeleteWait State = "delete-wait" // its end was asked for
	Deleted    State = "deleted"     // nothing is left of it but this record
	Error      State = "error"       // could not be built or was lost; Instance.Error says why. It holds nothing, and waits to be deleted
)

// next lists the moves. A state with none is final. DeleteWait is what a view shows of an instance whose end is wanted; its
// node moves it from any state straight to Deleted.
var next = moves.Table[State]{
	Initial:    {Creating, DeleteWait, Deleted, Error},
	Creating:   {Created, DeleteWait, Deleted, Error},
	Created:    {DeleteWait, Deleted, Error},
	DeleteWait: {Deleted, Error},
	Error:      {DeleteWait, Deleted},
	Deleted:    {},
}

// Next returns the states that s may move to; none if it is final.
func Next(s State) []State { return next.Next(s) }

// move adds to tx that an instance is in the state to with what change notes, and the event that tells of it. It is the
// only way a status changes its state. A move the table lacks is a defect.
func (m *Manager) move(ctx context.Context, tx *view.Txn, id string, to State, message string, change func(*status)) error {
	row, ok := m.statuses.Get(id)
	if !ok {
		return fault.New("instance.move", fault.Internal, id, "the instance has no status record")
	}
	s := row.Value
	if err := next.Check("instance", id, s.State, to); err != nil {
		return err
	}
	began := s.Since
	s.State, s.Since = to, time.Now()
	if change != nil {
		change(&s)
	}
	var extra map[string]any
	if s.Error != "" {
		extra = map[string]any{"cause": s.Error}
	}
	tx.Check(m.statuses.At(row, id), m.Nodes.Fence())
	tx.Do(m.statuses.Put(id, s), m.events.Took(ctx, about(id), event.Status, began, message, extra))
	return nil
}

// note adds to tx a change of the status that is no move.
func (m *Manager) note(ctx context.Context, tx *view.Txn, id, message string, change func(*status)) {
	row, _ := m.statuses.Get(id)
	s := row.Value
	change(&s)
	tx.Check(m.statuses.At(row, id), m.Nodes.Fence())
	tx.Do(m.statuses.Put(id, s))
	if message != "" {
		tx.Do(m.events.Op(ctx, about(id), event.Status, message, nil))
	}
}
