package metadata

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// Guard adds to tx the check that an object is there when tx is committed. It fails with fault.NotFound if it is not there
// now.
type Guard func(tx *view.Txn, id string) error

// Guard has f speak for the objects of a kind. It must be called before Put and Delete are.
func (m *Manager) Guard(kind string, f Guard) { m.guards[kind] = f }

// Put notes a value under a key of an object, in place of what is there. Kind is one of this package's, id the object's UUID,
// or its name for a namespace or node; the key is any text, the value anything that is JSON, other than null, false, 0, and
// empty texts, lists and objects. It fails with fault.Invalid, naming the key, if the value is not allowed or the object's
// metadata would be too large, and with fault.NotFound if there is no such object.
func (m *Manager) Put(ctx context.Context, kind, id, key string, value any) error {
	const op = "metadata.Put"
	if err := validate(kind, map[string]any{key: value}); err != nil {
		return fault.Wrap(op, id, err)
	}
	err := m.change(ctx, "set metadata", kind, id, key, func(values map[string]any) error {
		values[key] = value
		return fits(values)
	})
	return fault.Wrap(op, id, err)
}

// Delete removes a key of an object. Removing one that is not there is success. It fails with fault.NotFound if there is no
// such object.
func (m *Manager) Delete(ctx context.Context, kind, id, key string) error {
	err := m.change(ctx, "deleted metadata", kind, id, key, func(values map[string]any) error {
		delete(values, key)
		return nil
	})
	return fault.Wrap("metadata.Delete", id, err)
}

// change commits what f makes of an object's metadata, with the event that tells of it, provided that the object is still
// there: what is noted on an object goes with it, whoever is faster.
func (m *Manager) change(ctx context.Context, what, kind, id, key string, f func(map[string]any) error) error {
	const op = "metadata.change"
	guard, ok := m.guards[kind]
	if !ok {
		return fault.New(op, fault.Invalid, id, "kind %.40q has no metadata: use one of %s", kind,
			strings.Join(slices.Sorted(maps.Keys(m.guards)), ", "))
	}
	if err := m.view.Opened(ctx); err != nil {
		return err
	}
	return m.view.Retry(ctx, func() error {
		tx := view.Txn{Name: what, Ref: id}
		if err := guard(&tx, id); err != nil {
			return err
		}
		row, _ := m.rows.Get(rowID(kind, id))
		_, noted := row.Value[key]
		values := maps.Clone(row.Value)
		if values == nil {
			values = Values{}
		}
		if err := f(values); err != nil {
			return err
		}
		if _, still := values[key]; !noted && !still {
			return nil
		}
		tx.Check(m.rows.At(row, rowID(kind, id)))
		if len(values) == 0 {
			m.Forget(&tx, kind, id)
		} else {
			tx.Do(m.rows.Put(rowID(kind, id), values))
		}
		tx.Do(m.events.Op(ctx, event.Object{Kind: kind, ID: id}, event.Audit, what, map[string]any{"key": brief(key)}))
		_, err := m.view.Commit(ctx, tx)
		return err
	})
}

// brief is a key as events show it.
func brief(key string) string {
	const most = 200
	if utf8.RuneCountInString(key) <= most {
		return key
	}
	return fmt.Sprintf("%.*s…", most, key)
}
