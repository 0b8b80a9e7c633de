// Package metadata keeps what users note on objects: a map of keys to JSON values, beside the object's own record so that
// noting something never disturbs the object.
package metadata

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// MaxBytes bounds one object's metadata, as JSON.
const MaxBytes = 64 << 10

// The kinds of object that have metadata.
const (
	Artifact  = "artifact"
	Blob      = "blob"
	Instance  = "instance"
	Interface = "interface"
	Namespace = "namespace"
	Network   = "network"
	Node      = "node"
)

// table is the kind of the records, which begins their keys.
const table = "metadata"

// Manager keeps the metadata of every object.
type Manager struct {
	view   *view.View
	events *event.Recorder
	rows   *view.Table[Values]
	guards map[string]Guard // by kind; fixed before anything is noted
}

// New returns a manager whose table is registered with v.
func New(v *view.View, events *event.Recorder) *Manager {
	return &Manager{view: v, events: events, rows: view.NewTable[Values](v, table), guards: map[string]Guard{}}
}

func rowID(kind, id string) string { return kind + "/" + id }

// Of returns an object's metadata, never nil. It is shared: read only.
func (m *Manager) Of(kind, id string) map[string]any {
	if row, ok := m.rows.Get(rowID(kind, id)); ok {
		return row.Value
	}
	return map[string]any{}
}

// Set adds to tx that an object has this metadata and no other. It fails with fault.Invalid, naming the key, if a value is
// not allowed.
func (m *Manager) Set(tx *view.Txn, kind, id string, values map[string]any) error {
	if len(values) == 0 {
		if _, ok := m.rows.Get(rowID(kind, id)); ok {
			m.Forget(tx, kind, id)
		}
		return nil
	}
	if err := Validate(kind, values); err != nil {
		return err
	}
	tx.Do(m.rows.Put(rowID(kind, id), values))
	return nil
}

// Forget adds to tx that an object's metadata goes.
func (m *Manager) Forget(tx *view.Txn, kind, id string) { tx.Do(Gone(kind, id)) }

// Gone returns the op by which an object's metadata goes, for the commit that removes the object's own record.
func Gone(kind, id string) store.Op { return store.Delete(view.Prefix + table + "/" + rowID(kind, id)) }

// Validate fails with fault.Invalid, naming the key, if an object of the kind can't have this metadata. Values are judged
// by their JSON, so a []string will do for tags and a map[string]int for affinity.
func Validate(kind string, values map[string]any) error {
	if err := validate(kind, values); err != nil {
		return err
	}
	return fits(values)
}

// fits fails with fault.Invalid if that is more metadata than an object can have.
func fits(values map[string]any) error {
	if b, err := json.Marshal(values); err != nil || len(b) > MaxBytes {
		return fault.New("metadata.Validate", fault.Invalid, "", "metadata has more than %d bytes of JSON", MaxBytes)
	}
	return nil
}

// validate is Validate but for the size.
func validate(kind string, values map[string]any) error {
	const op = "metadata.Validate"
	for k, v := range values {
		if k == "" {
			return fault.New(op, fault.Invalid, "", "no key specified: a metadata key is empty")
		}
		if !utf8.ValidString(k) {
			return fault.New(op, fault.Invalid, "", "metadata key %.80q is not UTF-8", k)
		}
		v, err := plain(v)
		if err != nil {
			return fault.New(op, fault.Invalid, "", "metadata key %.80q: its value cannot be JSON: %v", k, err)
		}
		if falsy(v) {
			return fault.New(op, fault.Invalid, "", "no value specified for metadata key %.80q", k)
		}
		if _, list := v.([]any); kind == Instance && k == "tags" && !list {
			return fault.New(op, fault.Invalid, "", `value for "tags" key should be a JSON list`)
		}
	}
	if _, err := Affinity(values); kind == Instance && err != nil {
		return err
	}
	return nil
}

// plain returns v as it is after a way through JSON.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case float64:
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			return v, nil
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var p any
	err = json.Unmarshal(b, &p)
	return p, err
}

// falsy values are refused, as the API has always done.
func falsy(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// Tags returns the tags an instance's metadata gives it.
func Tags(values map[string]any) []string {
	v, _ := plain(values["tags"])
	list, _ := v.([]any)
	tags := make([]string, 0, len(list))
	for _, t := range list {
		tags = append(tags, fmt.Sprint(t))
	}
	return tags
}

// Affinity returns an instance's weights by tag. It fails with fault.Invalid if they are not whole numbers.
func Affinity(values map[string]any) (map[string]int, error) {
	const op = "metadata.Affinity"
	raw, ok := values["affinity"]
	if !ok {
		return nil, nil
	}
	v, err := plain(raw)
	object, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, fault.New(op, fault.Invalid, "", `value for "affinity" key should be a JSON object`)
	}
	weights := make(map[string]int, len(object))
	for tag, v := range object {
		n, err := wholeNumber(v)
		if err != nil {
			return nil, fault.New(op, fault.Invalid, "", "affinity of tag %.80q should be a whole number", tag)
		}
		weights[tag] = n
	}
	return weights, nil
}

func wholeNumber(v any) (int, error) {
	switch v := v.(type) {
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<31 {
			return 0, strconv.ErrRange
		}
		return int(v), nil
	case string:
		return strconv.Atoi(v)
	}
	return 0, strconv.ErrSyntax
}
