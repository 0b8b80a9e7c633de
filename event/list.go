package event

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// DefaultLimit is how many events List returns when nothing is said.
const DefaultLimit = 100

// opening bounds how long reading waits for the files.
const opening = 5 * time.Second

// listed is an event with what tells it from others.
type listed struct {
	id string
	Event
}

// List returns an object's events, newest first: those of type t, or all for "". At most limit of them; 0 means
// DefaultLimit, less than 0 all. It fails with fault.Unavailable if the store does not answer or the files are not open.
func (r *Recorder) List(ctx context.Context, about Object, t Type, limit int) ([]Event, error) {
	const op = "event.List"
	switch {
	case limit == 0:
		limit = DefaultLimit
	case limit < 0:
		limit = math.MaxInt
	}
	// Rows before files: what is moved meanwhile is seen twice, and not missed.
	all, err := r.listRows(ctx, about, t, limit)
	if err != nil {
		return nil, fault.Wrap(op, about.ID, err)
	}
	samples, err := r.listNewest(ctx, about, t)
	if err != nil {
		return nil, fault.Wrap(op, about.ID, err)
	}
	moved, err := r.listFiles(ctx, about, t, limit)
	if err != nil {
		return nil, fault.Wrap(op, about.ID, err)
	}
	all = append(append(all, samples...), moved...)
	slices.SortStableFunc(all, func(a, b listed) int { return strings.Compare(a.id, b.id) })
	all = slices.CompactFunc(all, func(a, b listed) bool { return a.id == b.id })
	events := make([]Event, 0, min(limit, len(all)))
	for _, e := range all[:cap(events)] {
		events = append(events, e.Event)
	}
	return events, nil
}

// listRows returns what is in the store.
func (r *Recorder) listRows(ctx context.Context, about Object, t Type, limit int) ([]listed, error) {
	var all []listed
	for after := ""; ; {
		page, err := r.store.List(ctx, about.prefix(), after, 1000)
		if err != nil {
			return nil, err
		}
		for _, entry := range page.Entries {
			after = entry.Key
			e, err := unmarshal(entry.Key, entry.Value)
			if err != nil {
				return nil, err
			}
			if t != "" && e.Type != t {
				continue
			}
			if all = append(all, listed{strings.TrimPrefix(entry.Key, about.prefix()), e}); len(all) == limit {
				return all, nil
			}
		}
		if !page.More {
			return all, nil
		}
	}
}

// listNewest returns the newest samples, which may be of other nodes.
func (r *Recorder) listNewest(ctx context.Context, about Object, t Type) ([]listed, error) {
	if t != "" && !isSampled(t) {
		return nil, nil
	}
	page, err := r.store.List(ctx, about.newest(t), "", 0)
	if err != nil {
		return nil, err
	}
	var all []listed
	for _, entry := range page.Entries {
		s, err := unmarshalSample(entry)
		if err != nil {
			return nil, err
		}
		all = append(all, listed{s.ID, s.Event})
	}
	return all, nil
}

// listFiles returns what was moved, as far as the object was not forgotten since.
func (r *Recorder) listFiles(ctx context.Context, about Object, t Type, limit int) ([]listed, error) {
	if r.deps.Dir == "" {
		return nil, nil
	}
	if err := r.awaitFiles(ctx); err != nil {
		return nil, err
	}
	var series []string
	for _, name := range types() {
		if t == "" || t == name {
			series = append(series, string(name))
		}
	}
	records, err := r.files.Newest(ctx, about.path(), limit, series...)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	oldest, err := r.forgottenAt(ctx, about)
	if err != nil {
		return nil, err
	}
	var all []listed
	for _, record := range records {
		if oldest != "" && record.ID > oldest {
			break
		}
		e, err := unmarshal(record.ID, record.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, listed{record.ID, e})
	}
	return all, nil
}

// forgottenAt returns the ID that events must sort below to be listed, "" if all are.
func (r *Recorder) forgottenAt(ctx context.Context, about Object) (string, error) {
	page, err := r.store.List(ctx, about.forgotten(), "", 1)
	if err != nil {
		return "", err
	}
	if len(page.Entries) > 0 {
		return strings.TrimPrefix(page.Entries[0].Key, about.forgotten()), nil
	}
	moved, err := r.files.Newest(ctx, about.path(), 1, forgottenSeries)
	if err != nil || len(moved) == 0 {
		return "", err
	}
	return moved[0].ID, nil
}

func (r *Recorder) awaitFiles(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	select {
	case <-r.opened:
		return nil
	case <-ctx.Done():
		return fault.New("event.List", fault.Unavailable, "", "the files of events are not open; look into the log of the node")
	}
}

func unmarshal(where string, value []byte) (e Event, err error) {
	if err := json.Unmarshal(value, &e); err != nil {
		return e, fault.Because("event.List", fault.Internal, where, err, "unreadable event")
	}
	return e, nil
}

func unmarshalSample(entry store.Entry) (s sample, err error) {
	if err := json.Unmarshal(entry.Value, &s); err != nil {
		return s, fault.Because("event.List", fault.Internal, entry.Key, err, "unreadable sample")
	}
	return s, nil
}
