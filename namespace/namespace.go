// Package namespace keeps the tenants of the cloud: their keys, whom they trust, and what they own.
package namespace

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/store"
)

// System is the namespace of the operators. It sees everything, and every namespace trusts it.
const System = "system"

// Namespace is a tenant.
type Namespace struct {
	Name    string
	Created time.Time
	Keys    []string // names only, ascending
	Trusts  []string // namespaces that may act on this one, ascending; System is always among them
}

// record is a namespace in the store.
type record struct {
	Created time.Time      `json:"created"`
	Keys    map[string]key `json:"keys"`
	Trusts  []string       `json:"trusts"` // without System
}

// Manager keeps the namespaces.
type Manager struct {
	view   *view.View
	events *event.Recorder
	rows   *view.Table[record]
	secret secret
	cost   int           // of bcrypt
	dummy  func() []byte // a hash of that cost that no secret matches

	compares atomic.Uint64 // of secrets with hashes
}

// New returns a manager whose tables are registered with v. Secret signs tokens; nil keeps a generated one in the store.
// Cost is bcrypt's; 0 means 10.
func New(v *view.View, events *event.Recorder, secretBytes []byte, cost int) *Manager {
	if cost == 0 {
		cost = 10
	}
	return &Manager{
		view: v, events: events, cost: cost, secret: secret{view: v, value: secretBytes},
		rows: view.NewTable[record](v, "namespace"),
		dummy: sync.OnceValue(func() []byte {
			hash, _ := bcrypt.GenerateFromPassword([]byte(rand.Text()), cost)
			return hash
		}),
	}
}

var validName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$`)

// ValidateName fails with fault.Invalid if a namespace can't have this name.
func ValidateName(name string) error {
	if !validName.MatchString(name) {
		return fault.New("namespace.ValidateName", fault.Invalid, "",
			"namespace %.80q is not a name: use 1 to 63 letters, digits, hyphens and underscores, beginning and ending with a letter or digit", name)
	}
	return nil
}

// Create makes a namespace. With a keyName it has that key from the start. It fails with fault.Forbidden if there is one of
// that name, or for the name of a key that the cloud makes for itself, and with fault.Invalid, naming the field, for names and
// secrets that can't be.
func (m *Manager) Create(ctx context.Context, name, keyName, keySecret string) (Namespace, error) {
	const op = "namespace.Create"
	if err := ValidateName(name); err != nil {
		return Namespace{}, err
	}
	if _, exists := m.rows.Get(name); exists {
		return Namespace{}, fault.New(op, fault.Forbidden, name, "namespace exists")
	}
	r := record{Created: time.Now(), Keys: map[string]key{}}
	if keyName == "service_key" {
		return Namespace{}, errIllegalName(op, name)
	}
	if keyName != "" {
		if err := validateKey(name, keyName, keySecret); err != nil {
			return Namespace{}, fault.Wrap(op, name, err)
		}
		k, err := m.newKey(ctx, name, keySecret)
		if err != nil {
			return Namespace{}, fault.Wrap(op, name, err)
		}
		r.Keys[keyName] = k
	}
	tx := view.Txn{Name: "create namespace", Ref: name}
	tx.Check(store.Absent(m.rows.Key(name)))
	tx.Do(m.rows.Put(name, r), m.events.Op(ctx, about(name), event.Audit, "created namespace", nil))
	if _, err := m.view.Commit(ctx, tx); errors.Is(err, fault.Conflict) {
		return Namespace{}, fault.New(op, fault.Forbidden, name, "namespace exists")
	} else if err != nil {
		return Namespace{}, err
	}
	return m.Get(ctx, name)
}

func about(name string) event.Object { return event.Object{Kind: "namespace", ID: name} }

// errNotFound is what everybody hears about a namespace that is not there, or that they may not know of.
func errNotFound(op, name string) error {
	return fault.New(op, fault.NotFound, name, "namespace not found")
}

// Get returns a namespace. It fails with fault.NotFound.
func (m *Manager) Get(_ context.Context, name string) (Namespace, error) {
	row, ok := m.rows.Get(name)
	if !ok {
		return Namespace{}, errNotFound("namespace.Get", name)
	}
	return toNamespace(row), nil
}

func toNamespace(row view.Row[record]) Namespace {
	n := Namespace{Name: row.ID, Created: row.Value.Created, Keys: []string{}, Trusts: append([]string{System}, row.Value.Trusts...)}
	for name, k := range row.Value.Keys {
		if !k.expired(time.Now()) {
			n.Keys = append(n.Keys, name)
		}
	}
	slices.Sort(n.Keys)
	slices.Sort(n.Trusts)
	n.Trusts = slices.Compact(n.Trusts)
	return n
}

// Guard is the metadata.Guard of namespaces.
func (m *Manager) Guard(tx *view.Txn, name string) error {
	row, ok := m.rows.Get(name)
	if !ok {
		return errNotFound("namespace.Guard", name)
	}
	tx.Check(m.rows.At(row, name))
	return nil
}

// List returns the namespaces that trust the caller, ascending by name.
func (m *Manager) List(_ context.Context, caller string) []Namespace {
	all := []Namespace{}
	for _, row := range m.rows.All() {
		if m.Trusts(row.ID, caller) {
			all = append(all, toNamespace(row))
		}
	}
	return all
}

// Trusts reports whether other may act on what owner owns: it is the owner, the system, or trusted by the owner.
func (m *Manager) Trusts(owner, other string) bool {
	if owner == other || other == System {
		return true
	}
	row, ok := m.rows.Get(owner)
	return ok && slices.Contains(row.Value.Trusts, other)
}

// Predates reports whether what ended at a moment was part of an earlier namespace of this name. One that is made again knows
// nothing of the one before, whose ended objects can be read for a while.
func (m *Manager) Predates(name string, ended time.Time) bool {
	row, ok := m.rows.Get(name)
	return ok && !ended.IsZero() && ended.Before(row.Value.Created)
}

// ownedPrefix begins the keys that say what a namespace owns. They lie outside the view: only commits look at them.
func ownedPrefix(name string) string { return "c/owned/" + name + "/" }

func ownedKey(name, kind, id string) string { return ownedPrefix(name) + kind + "/" + id }

// Own makes an object part of a namespace within the transaction that creates it. It fails with fault.NotFound if there
// is no such namespace; the commit conflicts if the namespace goes meanwhile.
func (m *Manager) Own(tx *view.Txn, name, kind, id string) error {
	row, ok := m.rows.Get(name)
	if !ok {
		return errNotFound("namespace.Own", name)
	}
	tx.Check(m.rows.At(row, name))
	tx.Do(store.Put(ownedKey(name, kind, id), nil))
	return nil
}

// Disown ends that within the transaction that ends the object.
func (m *Manager) Disown(tx *view.Txn, name, kind, id string) {
	tx.Do(store.Delete(ownedKey(name, kind, id)))
}

// Owned returns the kinds of object that a namespace still owns.
func (m *Manager) Owned(ctx context.Context, name string) (kinds map[string]int, err error) {
	kinds = map[string]int{}
	for after := ""; ; {
		page, err := m.view.Store().List(ctx, ownedPrefix(name), after, store.MaxPage)
		if err != nil {
			return nil, fault.Wrap("namespace.Owned", name, err)
		}
		for _, e := range page.Entries {
			after = e.Key
			rest := e.Key[len(ownedPrefix(name)):]
			for i, c := range rest {
				if c == '/' {
					kinds[rest[:i]]++
					break
				}
			}
		}
		if !page.More {
			return kinds, nil
		}
	}
}

// Delete removes a namespace that owns nothing; its tokens die at once. It fails with fault.Forbidden for System and with
// fault.Invalid while it owns something.
func (m *Manager) Delete(ctx context.Context, name string) error {
	const op = "namespace.Delete"
	if name == System {
		return fault.New(op, fault.Forbidden, name, "you cannot delete the system namespace")
	}
	return m.view.Retry(ctx, func() error {
		row, ok := m.rows.Get(name)
		if !ok {
			return errNotFound(op, name)
		}
		kinds, err := m.Owned(ctx, name)
		if err != nil {
			return err
		}
		for _, kind := range slices.Concat([]string{"instance", "network", "artifact"}, slices.Sorted(maps.Keys(kinds))) {
			if kinds[kind] > 0 {
				return fault.New(op, fault.Invalid, name, "you cannot delete a namespace with %ss", kind)
			}
		}
		tx := view.Txn{Name: "delete namespace", Ref: name}
		tx.Check(m.rows.At(row, name), store.Empty(ownedPrefix(name)))
		tx.Do(m.rows.Delete(name), metadata.Gone(metadata.Namespace, name))
		tx.Do(m.events.Forget(about(name))...)
		_, err = m.view.Commit(ctx, tx)
		return err
	})
}
