package event

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// newestPrefix begins the keys of the newest samples: one key an object and type, outside the view and beside the rows.
const newestPrefix = "n/"

// newest is the key of the object's newest sample of a type; for "" the prefix of all of them.
func (o Object) newest(t Type) string { return newestPrefix + o.Kind + "/" + o.ID + "/" + string(t) }

// Sample records a measurement: an event of which there are many, and of which mostly the last one is asked for. The store
// keeps the newest of an object and type only.
func (r *Recorder) Sample(ctx context.Context, about Object, t Type, message string, extra map[string]any) error {
	e := noting(ctx, Event{At: time.Now(), Type: t, Node: r.node, Message: message, Extra: extra})
	_, err := r.store.Commit(ctx, nil, []store.Op{store.Put(about.newest(t), marshal(e))})
	return fault.Wrap("event.Sample", about.ID, err)
}

// Newest returns the newest sample of a type that an object has; false if it has none.
func (r *Recorder) Newest(ctx context.Context, about Object, t Type) (Event, bool, error) {
	row, err := r.store.Get(ctx, about.newest(t))
	if errors.Is(err, fault.NotFound) {
		return Event{}, false, nil
	}
	if err != nil {
		return Event{}, false, fault.Wrap("event.Newest", about.ID, err)
	}
	var e Event
	if err := json.Unmarshal(row.Value, &e); err != nil {
		return Event{}, false, fault.Because("event.Newest", fault.Internal, row.Key, err, "unreadable sample")
	}
	return e, true, nil
}
