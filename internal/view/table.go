package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Row is a record of a table. Value's slices and maps are shared with other readers: read only.
type Row[T any] struct {
	ID       string // the key without the table's prefix
	Value    T
	Revision store.Revision
}

// Table holds every record of one kind. Its readers never wait for the store.
type Table[T any] struct {
	view       *View
	prefix     string // such as "o/instance/"
	schema     int
	opening    []byte // of a record as Encode writes it
	upgrades   []Upgrade
	rows       map[string]*Row[T]        // guarded by view.mu; a row that was put is never changed
	unreadable map[string]store.Revision // guarded by view.mu; records that are in the store and not in rows
	indexes    map[string]*index[T]
	watchers   []func(id string) // fixed before Run
}

// Upgrade turns the JSON of one schema version into that of the next.
type Upgrade func(json.RawMessage) (json.RawMessage, error)

// index finds rows by a value computed from them.
type index[T any] struct {
	of  func(Row[T]) []string
	ids map[string]map[string]bool // value → ids; guarded by view.mu
}

// envelope is how a record lies in the store.
type envelope struct {
	Schema int             `json:"schema"`
	Record json.RawMessage `json:"record"`
}

// What stands before and after a record of the present schema, as package json would write the envelope.
func opening(schema int) []byte { return fmt.Appendf(nil, `{"schema":%d,"record":`, schema) }

const closing = "}"

// NewTable registers a table for the records whose keys begin with Prefix + kind + "/". The records' present schema version
// is 1 + len(upgrades). It must be called before the view runs.
func NewTable[T any](v *View, kind string, upgrades ...Upgrade) *Table[T] {
	t := &Table[T]{
		view: v, prefix: Prefix + kind + "/", schema: 1 + len(upgrades), opening: opening(1 + len(upgrades)), upgrades: upgrades,
		rows: map[string]*Row[T]{}, unreadable: map[string]store.Revision{}, indexes: map[string]*index[T]{},
	}
	v.tables = append(v.tables, t)
	return t
}

// Index adds an index by the values that of computes. It must be called before the view runs.
func (t *Table[T]) Index(name string, of func(Row[T]) []string) *Table[T] {
	t.indexes[name] = &index[T]{of: of, ids: map[string]map[string]bool{}}
	return t
}

// OnChange has f called, in the view's goroutine, with the ID of every record that changed or went. It must be called
// before the view runs; f must not block.
func (t *Table[T]) OnChange(f func(id string)) { t.watchers = append(t.watchers, f) }

// Key returns the store key of a record.
func (t *Table[T]) Key(id string) string { return t.prefix + id }

// Put returns the op that writes a record.
func (t *Table[T]) Put(id string, value T) store.Op {
	return store.Put(t.Key(id), t.Encode(value))
}

// Encode returns a record's bytes in the store.
func (t *Table[T]) Encode(value T) []byte {
	record, err := json.Marshal(value)
	if err != nil {
		panic("view: a record type does not marshal: " + err.Error()) // a defect of the type, not of its data
	}
	return slices.Concat(t.opening, record, []byte(closing))
}

// Delete returns the op that deletes a record.
func (t *Table[T]) Delete(id string) store.Op { return store.Delete(t.Key(id)) }

// At returns the check that a record is still this row; for the zero Row, that there is none.
func (t *Table[T]) At(r Row[T], id string) store.Check {
	if r.Revision == 0 {
		return store.Absent(t.Key(id))
	}
	return store.At(t.Key(id), r.Revision)
}

// Get returns a record.
func (t *Table[T]) Get(id string) (Row[T], bool) {
	t.view.mu.RLock()
	defer t.view.mu.RUnlock()
	if r, ok := t.rows[id]; ok {
		return *r, true
	}
	return Row[T]{}, false
}

// Unreadable reports whether there is a record of that ID which this program can't read, for instance because a newer one
// wrote it. Get doesn't find such a record, but whoever removes what nobody wants must not take it for gone.
func (t *Table[T]) Unreadable(id string) bool {
	t.view.mu.RLock()
	defer t.view.mu.RUnlock()
	_, ok := t.unreadable[id]
	return ok
}

// Len returns the number of records.
func (t *Table[T]) Len() int {
	t.view.mu.RLock()
	defer t.view.mu.RUnlock()
	return len(t.rows)
}

// All returns every record, ascending by ID.
func (t *Table[T]) All() []Row[T] {
	t.view.mu.RLock()
	rows := make([]*Row[T], 0, len(t.rows))
	for _, r := range t.rows {
		rows = append(rows, r)
	}
	t.view.mu.RUnlock()
	return sorted(rows)
}

// By returns the records that an index has under a value, ascending by ID.
func (t *Table[T]) By(indexName, value string) []Row[T] {
	t.view.mu.RLock()
	ids := t.indexes[indexName].ids[value]
	rows := make([]*Row[T], 0, len(ids))
	for id := range ids {
		rows = append(rows, t.rows[id])
	}
	t.view.mu.RUnlock()
	return sorted(rows)
}

// Count returns how many records an index has under a value.
func (t *Table[T]) Count(indexName, value string) int {
	t.view.mu.RLock()
	defer t.view.mu.RUnlock()
	return len(t.indexes[indexName].ids[value])
}

// sorted returns copies of rows. Rows are large, so they are moved once, after their order is known, and without the lock.
func sorted[T any](rows []*Row[T]) []Row[T] {
	slices.SortFunc(rows, func(a, b *Row[T]) int { return strings.Compare(a.ID, b.ID) })
	all := make([]Row[T], len(rows))
	for i, r := range rows {
		all[i] = *r
	}
	return all
}

func (t *Table[T]) keyPrefix() string { return t.prefix }

// put is for the view. A put older than what is held is a replay after a load.
func (t *Table[T]) put(key string, value []byte, r store.Revision) error {
	id := strings.TrimPrefix(key, t.prefix)
	if r < t.revision(id) {
		return nil
	}
	t.unindex(id)
	delete(t.rows, id)
	record, err := t.decode(value)
	if err != nil {
		t.unreadable[id] = r
		return err
	}
	delete(t.unreadable, id)
	row := &Row[T]{ID: id, Value: record, Revision: r}
	t.rows[id] = row
	for _, x := range t.indexes {
		for _, v := range x.of(*row) {
			if x.ids[v] == nil {
				x.ids[v] = map[string]bool{}
			}
			x.ids[v][id] = true
		}
	}
	return nil
}

// revision is that of what is held under an ID, 0 for nothing; view.mu is held.
func (t *Table[T]) revision(id string) store.Revision {
	if row, ok := t.rows[id]; ok {
		return row.Revision
	}
	return t.unreadable[id]
}

func (t *Table[T]) decode(value []byte) (T, error) {
	if bytes.HasPrefix(value, t.opening) && bytes.HasSuffix(value, []byte(closing)) {
		var record T
		if json.Unmarshal(value[len(t.opening):len(value)-len(closing)], &record) == nil {
			return record, nil // as Encode wrote it, read once instead of twice
		}
	}
	var record T
	var e envelope
	if err := json.Unmarshal(value, &e); err != nil {
		return record, err
	}
	if e.Schema < 1 || e.Schema > t.schema {
		return record, fault.New("view.decode", fault.Internal, t.prefix,
			"schema version %d is not known, this program knows 1 to %d: run the newer version", e.Schema, t.schema)
	}
	for _, up := range t.upgrades[e.Schema-1:] {
		var err error
		if e.Record, err = up(e.Record); err != nil {
			return record, err
		}
	}
	err := json.Unmarshal(e.Record, &record)
	return record, err
}

func (t *Table[T]) delete(key string, r store.Revision) {
	id := strings.TrimPrefix(key, t.prefix)
	if r < t.revision(id) {
		return
	}
	t.unindex(id)
	delete(t.rows, id)
	delete(t.unreadable, id)
}

func (t *Table[T]) unindex(id string) {
	row, ok := t.rows[id]
	if !ok {
		return
	}
	for _, x := range t.indexes {
		for _, v := range x.of(*row) {
			delete(x.ids[v], id)
			if len(x.ids[v]) == 0 {
				delete(x.ids, v)
			}
		}
	}
}

func (t *Table[T]) absent(seen map[string]bool) []string {
	var gone []string
	for _, id := range slices.Concat(slices.Collect(maps.Keys(t.rows)), slices.Collect(maps.Keys(t.unreadable))) {
		if !seen[t.prefix+id] {
			gone = append(gone, t.prefix+id)
		}
	}
	return gone
}

func (t *Table[T]) notify(key string) {
	id := strings.TrimPrefix(key, t.prefix)
	for _, f := range t.watchers {
		f(id)
	}
}
