package client

import (
	"context"
	"net/http"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// Has reports whether the server says it can do what a word stands for, one of the api.Can words. It needs no key.
func (c *Client) Has(ctx context.Context, word string) (bool, error) {
	if _, err := c.s.baseURL(ctx); err != nil {
		return false, err
	}
	return strings.Contains(c.s.page, word), nil // page never changes once baseURL succeeded
}

// ListNamespaces returns the namespaces that trust the caller's.
func (c *Client) ListNamespaces(ctx context.Context) ([]api.Namespace, error) {
	var l []api.Namespace
	err := c.call(ctx, http.MethodGet, api.PathNamespaces, nil, nil, &l)
	return l, err
}

// GetNamespace returns a namespace.
func (c *Client) GetNamespace(ctx context.Context, name string) (api.Namespace, error) {
	var n api.Namespace
	err := c.call(ctx, http.MethodGet, api.PathNamespace, []string{name}, nil, &n)
	return n, err
}

// CreateNamespace makes a namespace, for system only. It fails with fault.Forbidden if there is one of that name.
func (c *Client) CreateNamespace(ctx context.Context, r api.CreateNamespace) (api.Namespace, error) {
	var n api.Namespace
	err := c.call(ctx, http.MethodPost, api.PathNamespaces, nil, r, &n)
	return n, err
}

// DeleteNamespace deletes a namespace without instances and networks, for system only.
func (c *Client) DeleteNamespace(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, api.PathNamespace, []string{name}, nil, nil)
}

// ListKeys returns the names of a namespace's keys.
func (c *Client) ListKeys(ctx context.Context, namespace string) ([]string, error) {
	var l []string
	err := c.call(ctx, http.MethodGet, api.PathNamespaceKeys, []string{namespace}, nil, &l)
	return l, err
}

// AddKey gives a namespace a key, or a key a new secret, which ends every login made with the old one.
func (c *Client) AddKey(ctx context.Context, namespace string, k api.AddKey) error {
	return c.call(ctx, http.MethodPost, api.PathNamespaceKeys, []string{namespace}, k, nil)
}

// UpdateKey gives a key that exists a new secret, which ends every login made with the old one. It fails with
// fault.NotFound if there is no key of that name.
func (c *Client) UpdateKey(ctx context.Context, namespace string, k api.AddKey) error {
	return c.call(ctx, http.MethodPut, api.PathNamespaceKeys, []string{namespace}, k, nil)
}

// DeleteKey removes a key from a namespace, which ends every login made with it.
func (c *Client) DeleteKey(ctx context.Context, namespace, name string) error {
	return c.call(ctx, http.MethodDelete, api.PathNamespaceKey, []string{namespace, name}, nil, nil)
}

// AddTrust lets the namespace external, which need not exist, act in a namespace. Adding it twice is fine. It returns the
// namespace that trusts.
func (c *Client) AddTrust(ctx context.Context, namespace, external string) (api.Namespace, error) {
	var n api.Namespace
	err := c.call(ctx, http.MethodPost, api.PathNamespaceTrust, []string{namespace}, api.AddTrust{ExternalNamespace: external}, &n)
	return n, err
}

// RemoveTrust ends what AddTrust began. It is fine if there was no trust; that in system cannot be ended. It returns the
// namespace that trusted.
func (c *Client) RemoveTrust(ctx context.Context, namespace, external string) (api.Namespace, error) {
	var n api.Namespace
	err := c.call(ctx, http.MethodDelete, api.PathNamespaceTrusted, []string{namespace, external}, nil, &n)
	return n, err
}
