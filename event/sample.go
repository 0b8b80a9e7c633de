package event

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/shakenfist/shakenfist/event/segment"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/store"
)

// sample is the value of a newest sample.
type sample struct {
	ID string `json:"id"` // the same as in the files
	Event
}

// isSampled tells the types that Sample takes.
func isSampled(t Type) bool { return t == Usage || t == Resources }

// Sample records a measurement of type Usage or Resources: an event of which there are many, and of which mostly the last
// one is asked for. The store keeps the newest of an object and type only. The others are in files as soon as Run has begun,
// and safe on disk within the delay; while that is full, they are lost. It fails with fault.Invalid for any other type.
func (r *Recorder) Sample(ctx context.Context, about Object, t Type, message string, extra map[string]any) error {
	const op = "event.Sample"
	if !isSampled(t) {
		return fault.New(op, fault.Invalid, about.ID, "events of type %s are not samples; record them with what changes", t)
	}
	s := sample{Event: noting(ctx, Event{At: time.Now(), Type: t, Node: r.node, Message: message, Extra: extra})}
	s.ID = r.id(s.At)
	r.keepSample(ctx, about, s)
	value, err := json.Marshal(s)
	if err != nil {
		panic("event: extra does not marshal: " + err.Error()) // a defect of the caller's code, that keepSample met already
	}
	ctx = step.Named(ctx, "commit sample", about.ID)
	_, err = r.store.Commit(ctx, nil, []store.Op{store.Put(about.newest(t), value)})
	return fault.Wrap(op, about.ID, err)
}

// keepSample writes a sample to the files, if they are open.
func (r *Recorder) keepSample(ctx context.Context, about Object, s sample) {
	select {
	case <-r.opened:
	default:
		return
	}
	record := segment.Record{Object: about.path(), ID: s.ID, At: s.At, Value: marshal(s.Event)}
	if err := r.files.Append(ctx, string(s.Type), record); err != nil {
		if !errors.Is(err, fault.Unavailable) && !r.mute.Swap(true) {
			r.deps.Log.ErrorContext(ctx, "samples cannot be written; only the newest are kept", slog.Any("error", err))
		}
		return
	}
	r.mute.Store(false)
	r.notice(0)
}

// Newest returns the newest sample of a type that an object has; false if it has none.
func (r *Recorder) Newest(ctx context.Context, about Object, t Type) (Event, bool, error) {
	entry, err := r.store.Get(ctx, about.newest(t))
	if errors.Is(err, fault.NotFound) {
		return Event{}, false, nil
	}
	if err != nil {
		return Event{}, false, fault.Wrap("event.Newest", about.ID, err)
	}
	s, err := unmarshalSample(entry)
	return s.Event, err == nil, err
}
