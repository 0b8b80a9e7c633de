package namespace

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
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

// Login is a key that proved itself.
type Login struct {
	Namespace string
	Key       string // the key's name
	Nonce     string
}

// servicePrefix begins the names of keys that the cloud makes for itself.
const servicePrefix = "_service_key"

// maxName bounds key names, in bytes.
const maxName = 128

func (m *Manager) newKey(ctx context.Context, namespace, name, secret string) (key, error) {
	const op = "namespace.newKey"
	switch {
	case name == "":
		return key{}, fault.New(op, fault.Invalid, namespace, "no key name specified")
	case secret == "":
		return key{}, fault.New(op, fault.Invalid, namespace, "no key specified")
	case strings.HasPrefix(name, servicePrefix), strings.HasPrefix(name, "service_key"):
		return key{}, fault.New(op, fault.Forbidden, namespace, "illegal key name")
	case len(name) > maxName || strings.ContainsAny(name, "/\x00\r\n"):
		return key{}, fault.New(op, fault.Invalid, namespace, "key_name must have at most %d bytes, no slash and no line break", maxName)
	}
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

// digest is what bcrypt sees of a secret. Bcrypt looks at 72 bytes; longer secrets are hashed first, so that all of
// them counts.
func digest(secret string) []byte {
	if len(secret) <= 72 {
		return []byte(secret)
	}
	sum := sha256.Sum256([]byte(secret))
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

// tag says which key a secret belongs to, to those who hold the cluster's secret. With it a login costs one bcrypt
// compare, however many keys a namespace has. Seal names the cluster's secret and tells nothing of it.
func (m *Manager) tag(ctx context.Context, namespace, secret string) (tag, seal string, err error) {
	cluster, err := m.Secret(ctx)
	if err != nil {
		return "", "", err
	}
	mac := func(text string) string {
		h := hmac.New(sha256.New, cluster)
		h.Write([]byte(text))
		return hex.EncodeToString(h.Sum(nil))
	}
	return mac(namespace + "\x00" + secret), mac("seal")[:8], nil
}

// candidates are the names of the keys that a secret of this tag may belong to, ascending: usually one or none. Where the
// cluster's secret was changed, the keys made before that have no tag to go by: each of them may be it.
func candidates(keys map[string]key, tag, seal string) []string {
	var tagged, older []string
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		k := keys[name]
		switch {
		case k.expired(time.Now()):
		case subtle.ConstantTimeCompare([]byte(k.Tag), []byte(tag)) == 1:
			tagged = append(tagged, name)
		case k.Seal != seal:
			older = append(older, name)
		}
	}
	if len(tagged) > 0 {
		return tagged[:1]
	}
	return older
}

// Login finds the key of the namespace that the secret belongs to. It costs one bcrypt compare, tens of milliseconds of
// CPU; more only while the namespace has keys older than the cluster's secret. It fails with fault.NotFound if there is no
// such namespace, with fault.Unauthorized if no key matches.
func (m *Manager) Login(ctx context.Context, namespace, secret string) (Login, error) {
	const op = "namespace.Login"
	row, exists := m.rows.Get(namespace)
	tag, seal, err := m.tag(ctx, namespace, secret)
	if err != nil {
		return Login{}, err
	}
	names := candidates(row.Value.Keys, tag, seal)
	for _, name := range names {
		k := row.Value.Keys[name]
		if bcrypt.CompareHashAndPassword(k.Hash, digest(secret)) == nil {
			return Login{Namespace: namespace, Key: name, Nonce: k.Nonce}, nil
		}
	}
	if len(names) == 0 { // a wrong guess takes as long as a right one
		_ = bcrypt.CompareHashAndPassword(m.dummy(), digest(secret))
	}
	if !exists {
		return Login{}, errNotFound(op, namespace)
	}
	return Login{}, fault.New(op, fault.Unauthorized, namespace, "unauthorized")
}

// Check fails with fault.Unauthorized if a login no longer holds: its namespace or key is gone, or the key was changed.
func (m *Manager) Check(l Login) error {
	const op = "namespace.Check"
	row, ok := m.rows.Get(l.Namespace)
	if !ok {
		return fault.New(op, fault.Unauthorized, l.Namespace, "the token's namespace no longer exists")
	}
	k, ok := row.Value.Keys[l.Key]
	if !ok || k.expired(time.Now()) {
		return fault.New(op, fault.Unauthorized, l.Namespace, "the token's key no longer exists")
	}
	if subtle.ConstantTimeCompare([]byte(k.Nonce), []byte(l.Nonce)) != 1 {
		return fault.New(op, fault.Unauthorized, l.Namespace, "the token's key was changed after the token was made")
	}
	return nil
}

// SetKey adds a key, or gives an existing one a new secret; tokens made with the old one die at once. With mustExist it
// fails with fault.NotFound instead of adding.
func (m *Manager) SetKey(ctx context.Context, namespace, name, secret string, mustExist bool) error {
	k, err := m.newKey(ctx, namespace, name, secret)
	if err != nil {
		return err
	}
	return m.change(ctx, "set key", namespace, "set key", name, func(keys map[string]key) error {
		if _, ok := keys[name]; mustExist && !ok {
			return fault.New("namespace.SetKey", fault.NotFound, namespace, "key does not exist")
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
	return m.view.Retry(ctx, func() error {
		row, ok := m.rows.Get(namespace)
		if !ok {
			return errNotFound("namespace."+what, namespace)
		}
		r := row.Value
		r.Keys = maps.Clone(r.Keys)
		if r.Keys == nil {
			r.Keys = map[string]key{}
		}
		if err := f(r.Keys); err != nil {
			return err
		}
		tx := view.Txn{Name: what, Ref: namespace}
		tx.Check(m.rows.At(row, namespace))
		tx.Do(m.rows.Put(namespace, r),
			m.events.Op(ctx, about(namespace), event.Audit, message, map[string]any{"key": keyName}))
		_, err := m.view.Commit(ctx, tx)
		return err
	})
}

// secret is the cluster's, either given or kept in the store.
type secret struct {
	store store.Store
	mu    sync.Mutex
	value []byte // guarded by mu; nil until known
}

// secretKey lies outside the view: no list or watch ever shows it.
const secretKey = "s/secret"

// Secret returns the cluster's secret, which signs tokens: the configured one, or one made at the first use and kept in the store.
func (m *Manager) Secret(ctx context.Context) ([]byte, error) {
	m.secret.mu.Lock()
	value := m.secret.value
	m.secret.mu.Unlock()
	if value != nil {
		return value, nil
	}
	value, err := m.secret.obtain(ctx)
	if err != nil {
		return nil, fault.Wrap("namespace.Secret", "", err)
	}
	m.secret.mu.Lock()
	defer m.secret.mu.Unlock()
	m.secret.value = value
	return value, nil
}

// obtain reads the secret, or commits a new one; of two processes that do so at once, one wins and both use its.
func (s *secret) obtain(ctx context.Context) ([]byte, error) {
	fresh := []byte(rand.Text() + rand.Text())
	_, err := s.store.Commit(ctx, []store.Check{store.Absent(secretKey)}, []store.Op{store.Put(secretKey, fresh)})
	if err == nil {
		return fresh, nil
	}
	if !errors.Is(err, fault.Conflict) {
		return nil, err
	}
	e, err := s.store.Get(ctx, secretKey)
	return e.Value, err
}
