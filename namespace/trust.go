package namespace

import (
	"context"
	"maps"
	"slices"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
)

// maxTrusted bounds how many others a namespace trusts: they stand in one record.
const maxTrusted = 256

// Trust lets another namespace act on this one, and returns this one: use its artifacts, see and change its keys, metadata
// and trust, and make instances in it. Trust is by name, so the other one need not exist; whoever makes it later is trusted.
// Trusting twice is success. It fails with fault.Invalid if the name can't be one or too many are trusted already, and with
// fault.NotFound.
func (m *Manager) Trust(ctx context.Context, name, other string) (Namespace, error) {
	const op = "namespace.Trust"
	if err := ValidateName(other); err != nil {
		return Namespace{}, fault.New(op, fault.Invalid, name, "external_namespace: %s", fault.Text(err))
	}
	return m.trust(ctx, "trust namespace", "trusted namespace", name, other, func(r *record) error {
		if len(r.Trusts) >= maxTrusted {
			return fault.New(op, fault.Invalid, name, "external_namespace: %d namespaces are trusted already; remove one first", len(r.Trusts))
		}
		r.Trusts = append(slices.Clone(r.Trusts), other)
		slices.Sort(r.Trusts)
		return nil
	}, false)
}

// Distrust ends what Trust allows, and returns the namespace. System stays trusted whatever is said; removing who is not
// trusted is success. It fails with fault.NotFound.
func (m *Manager) Distrust(ctx context.Context, name, other string) (Namespace, error) {
	return m.trust(ctx, "distrust namespace", "stopped trusting namespace", name, other, func(r *record) error {
		r.Trusts = slices.DeleteFunc(slices.Clone(r.Trusts), func(t string) bool { return t == other })
		return nil
	}, true)
}

// trust commits what f makes of whom a namespace trusts, if the other one is, or is not, among them now.
func (m *Manager) trust(ctx context.Context, what, message, name, other string, f func(*record) error, now bool) (Namespace, error) {
	err := m.amend(ctx, what, name, message, map[string]any{"namespace": other}, func(r *record) (bool, error) {
		if other == System || slices.Contains(r.Trusts, other) != now {
			return false, nil
		}
		return true, f(r)
	})
	if err != nil {
		return Namespace{}, fault.Wrap("namespace.trust", name, err)
	}
	return m.Get(ctx, name)
}

// amend commits what f makes of a namespace's record, with the event that tells of it; nothing if f says that nothing
// changes. The map of keys is f's to write to, the list of whom it trusts is not.
func (m *Manager) amend(ctx context.Context, what, name, message string, extra map[string]any, f func(*record) (bool, error)) error {
	return m.view.Retry(ctx, func() error {
		row, ok := m.rows.Get(name)
		if !ok {
			return errNotFound("namespace."+what, name)
		}
		r := row.Value
		r.Keys = maps.Clone(r.Keys)
		if r.Keys == nil {
			r.Keys = map[string]key{}
		}
		if changed, err := f(&r); err != nil || !changed {
			return err
		}
		tx := view.Txn{Name: what, Ref: name}
		tx.Check(m.rows.At(row, name))
		tx.Do(m.rows.Put(name, r), m.events.Op(ctx, about(name), event.Audit, message, extra))
		_, err := m.view.Commit(ctx, tx)
		return err
	})
}
