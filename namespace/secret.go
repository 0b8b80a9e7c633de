package namespace

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// secret is the cluster's, either given or kept in the store.
type secret struct {
	view  *view.View
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
	tx := view.Txn{Name: "make secret"}
	tx.Check(store.Absent(secretKey))
	tx.Do(store.Put(secretKey, fresh))
	_, err := s.view.Commit(ctx, tx)
	if err == nil {
		return fresh, nil
	}
	if !errors.Is(err, fault.Conflict) {
		return nil, err
	}
	e, err := s.view.Store().Get(ctx, secretKey)
	return e.Value, err
}
