package storetest

import (
	"maps"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/store"
)

// model is what a store should hold: the contract in its simplest form, one map.
type model struct {
	entries map[string]store.Entry
	rev     store.Revision // of the last commit that changed anything
	past    []store.Batch  // every commit that changed anything, changes by key
}

// failing returns the checks that do not hold.
func (m *model) failing(checks []store.Check) []store.Check {
	var failed []store.Check
	for _, c := range checks {
		e, here := m.entries[c.Key]
		holds := false
		switch c.Kind {
		case store.CheckAt:
			holds = here && e.Revision == c.Revision
		case store.CheckAbsent:
			holds = !here
		case store.CheckEmpty:
			holds = len(m.under(c.Key)) == 0
		}
		if !holds {
			failed = append(failed, c)
		}
	}
	return failed
}

// under returns the keys that begin with prefix, ascending.
func (m *model) under(prefix string) []string {
	keys := slices.Sorted(maps.Keys(m.entries))
	return slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, prefix) })
}

// changes returns what ops would change, by key.
func (m *model) changes(ops []store.Op) []store.Change {
	var all []store.Change
	for _, o := range ops {
		switch o.Kind {
		case store.OpPut:
			all = append(all, store.Change{Key: o.Key, Value: o.Value})
		case store.OpDelete:
			if _, here := m.entries[o.Key]; here {
				all = append(all, store.Change{Key: o.Key, Deleted: true})
			}
		case store.OpDeletePrefix:
			for _, k := range m.under(o.Key) {
				all = append(all, store.Change{Key: k, Deleted: true})
			}
		}
	}
	slices.SortFunc(all, byKey)
	return all
}

// apply makes the changes at revision r.
func (m *model) apply(r store.Revision, changes []store.Change) {
	m.rev = r
	m.past = append(m.past, store.Batch{Revision: r, Changes: changes})
	for _, c := range changes {
		if c.Deleted {
			delete(m.entries, c.Key)
			continue
		}
		m.entries[c.Key] = store.Entry{Key: c.Key, Value: c.Value, Revision: r}
	}
}

// page returns what List should.
func (m *model) page(prefix, after string, limit int) store.Page {
	var p store.Page
	for _, k := range m.under(prefix) {
		if k <= after {
			continue
		}
		if limit > 0 && len(p.Entries) == limit {
			p.More = true
			break
		}
		p.Entries = append(p.Entries, m.entries[k])
	}
	return p
}

func byKey(a, b store.Change) int { return strings.Compare(a.Key, b.Key) }
