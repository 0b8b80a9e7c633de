// Package event records what happened to an object: who did what, what changed, how it went. An event is a row of the
// store, written in the same commit as the change it tells of.
//
// Rows don't stay there. A chore of the node that wrote them moves them into files of package event/segment soon after, and
// deletes them, so that the store stays small however much happens. Samples, which are many and of which mostly the newest
// is asked for, go to the files at once. Reading merges rows, newest samples and files. The rows of other nodes stay where
// they are until their node moves them; what other nodes have in their files is not seen here.
package event

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/shakenfist/shakenfist/event/segment"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
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

// types are all there are, the least worth keeping first.
func types() []Type { return []Type{Resources, Status, Prune, Usage, Historic, Mutate, Audit} }

// ParseType returns the type of that name. It fails with fault.Invalid, naming the types there are.
func ParseType(s string) (Type, error) {
	if t := Type(s); slices.Contains(types(), t) {
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

// Deps is what a Recorder works with.
type Deps struct {
	Store store.Store
	Node  string // where events happen

	Dir    string                 // folder of the files, used by no other process; "" means that events stay in the store, for ever
	Ages   map[Type]time.Duration // how long events are kept; a type that is missing or 0 as DefaultAges has it, less than 0 for ever
	Budget int64                  // bytes that the files may take; 0 means segment.DefaultBudget, less than 0 any number
	Delay  time.Duration          // how long events wait in the store, in order that many move at once; 0 means 10 s
	Log    *slog.Logger           // nil discards
}

// DefaultAges returns how long events of each type are kept if nothing else is said.
func DefaultAges() map[Type]time.Duration {
	const day = 24 * time.Hour
	return map[Type]time.Duration{
		Audit: 90 * day, Mutate: 90 * day, Historic: 90 * day, Usage: 30 * day, Prune: 30 * day, Status: 7 * day, Resources: 7 * day,
	}
}

// Recorder makes and reads events.
type Recorder struct {
	store store.Store // tells the recorder of the rows that are committed through it
	node  string
	deps  Deps
	seq   atomic.Uint32 // tells events of the same nanosecond apart

	opened chan struct{} // closed when files can be used
	files  *segment.Log  // set before opened is closed, never changed after
	wake   chan struct{} // there is something for the chore to do
	rows   atomic.Int64  // committed since it last looked, or more
	mute   atomic.Bool   // it was said that samples can't be written
}

// New returns a recorder. It keeps events in the store until Run has begun.
func New(d Deps) *Recorder {
	if d.Delay == 0 {
		d.Delay = 10 * time.Second
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	ages := DefaultAges()
	for t, age := range d.Ages {
		if age != 0 {
			ages[t] = age
		}
	}
	d.Ages = ages
	r := &Recorder{node: d.Node, deps: d, opened: make(chan struct{}), wake: make(chan struct{}, 1)}
	r.store = &noticed{d.Store, r}
	return r
}

// NewRecorder returns a recorder that keeps events in the store, for ever.
func NewRecorder(s store.Store, node string) *Recorder { return New(Deps{Store: s, Node: node}) }

// Store returns the store, through which everything that writes events must commit, so that the recorder knows of them.
func (r *Recorder) Store() store.Store { return r.store }

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
	return store.Put(about.prefix()+r.id(e.At), marshal(noting(ctx, e)))
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
	name, ref := step.NameOf(ctx, "commit event", about.ID)
	_, err := r.store.Commit(step.Named(ctx, name, ref), nil, []store.Op{r.Op(ctx, about, t, message, extra)})
	return fault.Wrap("event.Record", about.ID, err)
}

// Forget returns the ops that delete every event and sample of an object. What its files have of it is not listed any more,
// also not for another object of the same name, and goes with its age.
func (r *Recorder) Forget(about Object) []store.Op {
	ops := []store.Op{store.DeletePrefix(about.prefix()), store.DeletePrefix(about.newest(""))}
	if r.deps.Dir != "" {
		ops = append(ops, store.Put(about.forgotten()+r.id(time.Now()), nil))
	}
	return ops
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
