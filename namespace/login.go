package namespace

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist/fault"
)

// Login is a key that proved itself.
type Login struct {
	Namespace string
	Key       string // the key's name
	Nonce     string
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
func candidates(keys map[string]key, tag, seal string) (names []string, tagged bool) {
	var hit, older []string
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		k := keys[name]
		switch {
		case k.expired(time.Now()):
		case subtle.ConstantTimeCompare([]byte(k.Tag), []byte(tag)) == 1:
			hit = append(hit, name)
		case k.Seal != seal:
			older = append(older, name)
		}
	}
	if len(hit) > 0 {
		return hit[:1], true
	}
	return older, false
}

// Knows reports whether the tag of a secret is that of a key of the namespace: then a login with it succeeds. Otherwise it
// fails, unless it is that of a key older than the cluster's secret. It costs no compare, and tells nobody outside more than
// a login does.
func (m *Manager) Knows(ctx context.Context, namespace, secret string) (bool, error) {
	row, _ := m.rows.Get(namespace)
	tag, seal, err := m.tag(ctx, namespace, secret)
	if err != nil {
		return false, err
	}
	_, tagged := candidates(row.Value.Keys, tag, seal)
	return tagged, nil
}

// Compares returns how often this process compared a secret with a hash, which is what logins cost.
func (m *Manager) Compares() uint64 { return m.compares.Load() }

// compare reports whether a hash is a secret's.
func (m *Manager) compare(hash []byte, secret string) bool {
	m.compares.Add(1)
	return bcrypt.CompareHashAndPassword(hash, digest(secret)) == nil
}

// Login finds the key of the namespace that the secret belongs to. It costs one bcrypt compare, tens of milliseconds of CPU;
// more only while the namespace has keys that nobody used since the cluster's secret was changed. It fails with fault.NotFound
// if there is no such namespace, with fault.Unauthorized if no key matches.
func (m *Manager) Login(ctx context.Context, namespace, secret string) (Login, error) {
	const op = "namespace.Login"
	row, exists := m.rows.Get(namespace)
	tag, seal, err := m.tag(ctx, namespace, secret)
	if err != nil {
		return Login{}, err
	}
	names, tagged := candidates(row.Value.Keys, tag, seal)
	for _, name := range names {
		k := row.Value.Keys[name]
		if m.compare(k.Hash, secret) {
			if !tagged {
				m.retag(ctx, namespace, name, key{Nonce: k.Nonce, Tag: tag, Seal: seal})
			}
			return Login{Namespace: namespace, Key: name, Nonce: k.Nonce}, nil
		}
	}
	if len(names) == 0 { // a wrong guess takes as long as a right one
		m.compare(m.dummy(), secret)
	}
	if !exists {
		return Login{}, errNotFound(op, namespace)
	}
	return Login{}, fault.New(op, fault.Unauthorized, namespace, "unauthorized")
}

// retag gives a key that is older than the cluster's secret a tag made with the present one, so that the next login finds it.
// It is no loss if that fails: the next login tries again.
func (m *Manager) retag(ctx context.Context, namespace, name string, found key) {
	_ = m.amend(ctx, "tag key", namespace, "tagged key anew", map[string]any{"key": name}, func(r *record) (bool, error) {
		k, ok := r.Keys[name]
		if !ok || k.Nonce != found.Nonce {
			return false, nil // it was changed meanwhile
		}
		k.Tag, k.Seal = found.Tag, found.Seal
		r.Keys[name] = k
		return true, nil
	})
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
