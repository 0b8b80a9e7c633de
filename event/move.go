package event

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/shakenfist/shakenfist/event/segment"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/store"
)

const (
	batch = 1000 // rows that don't wait for the delay to pass
	page  = 4000 // rows that are moved at once, when there are as many
)

// forgottenSeries says in the files which objects were forgotten when.
const forgottenSeries = "forgotten"

// move moves this node's rows to the files. A row is deleted when its copy is safe on disk. One whose deletion did not come
// to pass is moved again; reading takes both for the one they are.
func (r *Recorder) move(ctx context.Context) error {
	for _, prefix := range []string{rowPrefix, forgottenPrefix} {
		for after := ""; ; {
			rows, err := r.store.List(ctx, prefix, after, page)
			if err != nil {
				return fault.Wrap("event.move", "", err)
			}
			if err := r.movePage(ctx, prefix, rows.Entries); err != nil {
				return fault.Wrap("event.move", "", err)
			}
			if !rows.More {
				break
			}
			after = rows.Entries[len(rows.Entries)-1].Key
		}
	}
	return nil
}

func (r *Recorder) movePage(ctx context.Context, prefix string, entries []store.Entry) error {
	records := map[string][]segment.Record{}
	var moved []store.Op
	for _, entry := range entries {
		k, ok := parseRow(prefix, entry.Key)
		if !ok || k.node != r.node {
			continue // its node moves it
		}
		series, ok := seriesOf(prefix, entry.Value)
		if !ok {
			continue // a newer program may know what it is; List says that this one does not
		}
		records[series] = append(records[series], segment.Record{Object: k.object, ID: k.id, At: k.at, Value: entry.Value})
		moved = append(moved, store.Delete(entry.Key))
	}
	for _, s := range r.series() { // always in the same order
		// The oldest first, so that a file has what happened at about the same time.
		slices.SortFunc(records[s.Name], func(a, b segment.Record) int { return a.At.Compare(b.At) })
		if err := r.files.Append(ctx, s.Name, records[s.Name]...); err != nil {
			return err
		}
	}
	if err := r.files.Sync(ctx); err != nil {
		return err
	}
	for ops := range slices.Chunk(moved, store.MaxOps) {
		if _, err := r.store.Commit(step.Named(ctx, "commit move events", ""), nil, ops); err != nil {
			return err
		}
	}
	return nil
}

// seriesOf returns the series that a row belongs to.
func seriesOf(prefix string, value []byte) (string, bool) {
	if prefix == forgottenPrefix {
		return forgottenSeries, true
	}
	var e struct {
		Type Type `json:"type"`
	}
	err := json.Unmarshal(value, &e)
	return string(e.Type), err == nil && slices.Contains(types(), e.Type)
}

// series are those of the files, the least worth keeping first. That an object was forgotten is known as long as there can
// be an event of it.
func (r *Recorder) series() []segment.Series {
	var all []segment.Series
	last := segment.Series{Name: forgottenSeries}
	for _, t := range types() {
		age := r.deps.Ages[t]
		all = append(all, segment.Series{Name: string(t), Age: age})
		if last.Age >= 0 && (age < 0 || age > last.Age) {
			last.Age = age
		}
	}
	return append(all, last)
}
