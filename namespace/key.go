package namespace

import (
	"context"
	"crypto/rand"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist/fault"
)

// key is a namespace's key in the store. The secret itself is nowhere.
type key struct {
	Hash   []byte    `json:"hash"`  // bcrypt of the secret
	Tag    string    `json:"tag"`   // picks this key out of many without trying each, see Manager.tag
	Seal   string    `json:"seal"`  // names the cluster's secret that Tag was made with
	Nonce  string    `json:"nonce"` // part of every token; a new one ends all tokens of the key
	Expiry time.Time `json:"expiry,omitzero"`
}

func (k key) expired(now time.Time) bool { return !k.Expiry.IsZero() && now.After(k.Expiry) }

// servicePrefix begins the names of keys that the cloud makes for itself.
const servicePrefix = "_service_key"

// maxName bounds key names, in bytes.
const maxName = 128

// maxKeys bounds the keys of a namespace: they stand in one record.
const maxKeys = 1000

func errIllegalName(op, namespace string) error {
	return fault.New(op, fault.Forbidden, namespace, "illegal key name")
}

// validateKey fails if a user can't have a key of that name and secret.
func validateKey(namespace, name, secret string) error {
	const op = "namespace.validateKey"
	switch {
	case name == "":
		return fault.New(op, fault.Invalid, namespace, "no key name specified")
	case secret == "":
		return fault.New(op, fault.Invalid, namespace, "no key specified")
	case strings.HasPrefix(name, servicePrefix):
		return errIllegalName(op, namespace)
	case len(name) > maxName || !utf8.ValidString(name) || strings.Contains(name, "/") || strings.ContainsFunc(name, unicode.IsControl):
		return fault.New(op, fault.Invalid, namespace,
			"key_name must be UTF-8 of at most %d bytes, without slashes and control characters", maxName)
	}
	return nil
}

// newKey returns a key of this secret. It costs what checking one does: tens of milliseconds of CPU.
func (m *Manager) newKey(ctx context.Context, namespace, secret string) (key, error) {
	const op = "namespace.newKey"
	hash, err := bcrypt.GenerateFromPassword(digest(secret), m.cost)
	if err != nil {
		return key{}, fault.Because(op, fault.Internal, namespace, err, "hashing the key")
	}
	tag, seal, err := m.tag(ctx, namespace, secret)
	if err != nil {
		return key{}, err
	}
	return key{Hash: hash, Tag: tag, Seal: seal, Nonce: rand.Text()[:16]}, nil
}

// SetKey adds a key, or gives an existing one a new secret; tokens made with the old one die at once. With mustExist it
// fails with fault.NotFound instead of adding. It fails with fault.Forbidden for the names of keys that the cloud makes for
// itself, and with fault.Invalid, naming the field, for a name or a secret that can't be one.
func (m *Manager) SetKey(ctx context.Context, namespace, name, secret string, mustExist bool) error {
	const op = "namespace.SetKey"
	if err := validateKey(namespace, name, secret); err != nil {
		return fault.Wrap(op, namespace, err)
	}
	room := func(keys map[string]key) error {
		_, exists := keys[name]
		switch {
		case mustExist && !exists:
			return fault.New(op, fault.NotFound, namespace, "key does not exist")
		case !exists && len(keys) >= maxKeys:
			return fault.New(op, fault.Invalid, namespace, "key_name: the namespace has %d keys already; delete one first", len(keys))
		}
		return nil
	}
	row, ok := m.rows.Get(namespace)
	if !ok {
		return errNotFound(op, namespace)
	}
	if err := room(row.Value.Keys); err != nil { // before the work of hashing
		return err
	}
	k, err := m.newKey(ctx, namespace, secret)
	if err != nil {
		return fault.Wrap(op, namespace, err)
	}
	return m.change(ctx, "set key", namespace, "set key", name, func(keys map[string]key) error {
		if err := room(keys); err != nil {
			return err
		}
		keys[name] = k
		return nil
	})
}

// DeleteKey removes a key; its tokens die at once.
func (m *Manager) DeleteKey(ctx context.Context, namespace, name string) error {
	return m.change(ctx, "delete key", namespace, "deleted key", name, func(keys map[string]key) error {
		if _, ok := keys[name]; !ok {
			return fault.New("namespace.DeleteKey", fault.NotFound, namespace, "key name not found in namespace")
		}
		delete(keys, name)
		return nil
	})
}

func (m *Manager) change(ctx context.Context, what, namespace, message, keyName string, f func(map[string]key) error) error {
	return m.amend(ctx, what, namespace, message, map[string]any{"key": keyName}, func(r *record) (bool, error) {
		return true, f(r.Keys)
	})
}
