// Package event records what happened to an object: who did what, what changed, how it went. An event is a row of the
// store, written in the same commit as the change it tells of.
package event

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"sync/atomic"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Type says what an event is about, and with that how long it is kept.
type Type string

// The types, as the API names them.
const (
	Audit     Type = "audit"     // who did what
	Mutate    Type = "mutate"    // a recorded value changed
	Status    Type = "status"    // how a long operation goes
	Usage     Type = "usage"     // what is billed
	Resources Type = "resources" // what a node has and uses
	Prune     Type = "prune"     // what retention removed
	Historic  Type = "historic"  // events of deleted objects
)

// ParseType returns the type of that name. It fails with fault.Invalid, naming the types there are.
func ParseType(s string) (Type, error) {
	switch t := Type(s); t {
	case Audit, Mutate, Status, Usage, Resources, Prune, Historic:
		return t, nil
	}
	return "", fault.New("event.ParseType", fault.Invalid, "",
		"event_type %.40q is not known: use audit, mutate, status, usage, resources, prune or historic", s)
}

// Event is one thing that happened.
type Event struct {
	At       time.Time      `json:"at"`
	Type     Type           `json:"type"`
	Node     string         `json:"node"`               // where it happened
	Duration *float64       `json:"duration,omitempty"` // seconds; nil if it took no time worth naming
	Message  string         `json:"message"`            // lower case, past tense, no stop; free of secrets
	Extra    map[string]any `json:"extra,omitempty"`
}

// Object names what an event is about.
type Object struct {
	Kind string // "instance", "network", "artifact", "node", …
	ID   string
}

// prefix begins the keys of all events. They lie outside the view: a million of them cost no memory.
const prefix = "e/"

func (o Object) prefix() string { return prefix + o.Kind + "/" + o.ID + "/" }

// Recorder makes and reads events.
type Recorder struct {
	store store.Store
	node  string
	seq   atomic.Uint32 // tells events of the same nanosecond apart
}

// NewRecorder returns a recorder of the node's events.
func NewRecorder(s store.Store, node string) *Recorder { return &Recorder{store: s, node: node} }

// Op returns the op that records an event, for the commit of the change itself. The request ID in ctx, if any, is noted.
func (r *Recorder) Op(ctx context.Context, about Object, t Type, message string, extra map[string]any) store.Op {
	return r.op(ctx, about, Event{At: time.Now(), Type: t, Node: r.node, Message: message, Extra: extra})
}

// Took is Op for something that began at start and ended now.
func (r *Recorder) Took(ctx context.Context, about Object, t Type, start time.Time, message string, extra map[string]any) store.Op {
	now := time.Now()
	d := now.Sub(start).Seconds()
	return r.op(ctx, about, Event{At: now, Type: t, Node: r.node, Duration: &d, Message: message, Extra: extra})
}

func (r *Recorder) op(ctx context.Context, about Object, e Event) store.Op {
	// Newest first: the store lists ascending.
	key := fmt.Sprintf("%s%019d-%s-%010d", about.prefix(), math.MaxInt64-e.At.UnixNano(), r.node, math.MaxUint32-r.seq.Add(1))
	return store.Put(key, marshal(noting(ctx, e)))
}

// noting adds the request ID in ctx to what e says.
func noting(ctx context.Context, e Event) Event {
	if id := RequestID(ctx); id != "" {
		extra := map[string]any{"request-id": id}
		maps.Copy(extra, e.Extra)
		e.Extra = extra
	}
	return e
}

func marshal(e Event) []byte {
	value, err := json.Marshal(e)
	if err != nil {
		panic("event: extra does not marshal: " + err.Error()) // a defect of the caller's code
	}
	return value
}

// Record commits an event that tells of no change of an object, such as the progress of a download.
func (r *Recorder) Record(ctx context.Context, about Object, t Type, message string, extra map[string]any) error {
	_, err := r.store.Commit(ctx, nil, []store.Op{r.Op(ctx, about, t, message, extra)})
	return fault.Wrap("event.Record", about.ID, err)
}

// Forget returns the ops that delete every event and sample of an object.
func (r *Recorder) Forget(about Object) []store.Op {
	return []store.Op{store.DeletePrefix(about.prefix()), store.DeletePrefix(about.newest(""))}
}

// DefaultLimit is how many events List returns when nothing is said.
const DefaultLimit = 100

// List returns an object's events, newest first: those of type t, or all for "". At most limit of them; 0 means
// DefaultLimit, less than 0 all.
func (r *Recorder) List(ctx context.Context, about Object, t Type, limit int) ([]Event, error) {
	if limit == 0 {
		limit = DefaultLimit
	}
	events := []Event{}
	for after := ""; ; {
		page, err := r.store.List(ctx, about.prefix(), after, 1000)
		if err != nil {
			return nil, fault.Wrap("event.List", about.ID, err)
		}
		for _, row := range page.Entries {
			after = row.Key
			var e Event
			if err := json.Unmarshal(row.Value, &e); err != nil {
				return nil, fault.Because("event.List", fault.Internal, row.Key, err, "unreadable event")
			}
			if t != "" && e.Type != t {
				continue
			}
			if events = append(events, e); len(events) == limit {
				return events, nil
			}
		}
		if !page.More {
			return events, nil
		}
	}
}

type requestIDKey struct{}

// WithRequestID returns a context whose events carry the ID of the API request that caused them.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the request ID of ctx, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
