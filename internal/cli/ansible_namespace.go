package cli

import (
	"context"
	"slices"

	"github.com/shakenfist/shakenfist/api"
)

// namespace is the module for namespaces.
func (m *module) namespace(ctx context.Context) (outcome, error) {
	name, keyName, key := m.args.text("name"), m.args.text("key_name"), m.args.text("key")
	if err := m.read(); err != nil {
		return outcome{}, err
	}
	if name == "" {
		return outcome{}, failed("name is missing")
	}
	if (keyName == "") != (key == "") {
		return outcome{}, failed("key_name and key belong together; give both or neither")
	}
	n, err := m.c.GetNamespace(ctx, name)
	if err != nil && !missing(err) {
		return outcome{}, err
	}
	exists := err == nil && n.State != api.StateDeleted
	switch {
	case m.absent && !exists:
		return gone("namespace", name)
	case m.absent:
		m.logf("deleting namespace %s", name)
		if m.check {
			return outcome{changed: true}, nil
		}
		if err := m.c.DeleteNamespace(ctx, name); err != nil {
			return outcome{object: n}, err
		}
		return outcome{changed: true}, nil
	case !exists:
		m.logf("creating namespace %s", name)
		if m.check {
			return outcome{changed: true}, nil
		}
		n, err := m.c.CreateNamespace(ctx, api.CreateNamespace{Namespace: name, KeyName: keyName, Key: key})
		if err != nil {
			return outcome{}, err
		}
		return outcome{changed: true, object: n}, nil
	}
	return m.namespaceKey(ctx, n, keyName, key)
}

// namespaceKey makes sure that a namespace has a key of that name. Whether its secret is the same nobody can tell.
func (m *module) namespaceKey(ctx context.Context, n api.Namespace, keyName, key string) (outcome, error) {
	if keyName == "" || slices.Contains(n.Keys, keyName) {
		return outcome{object: n}, nil
	}
	m.logf("adding key %s", keyName)
	if m.check {
		return outcome{changed: true, object: n}, nil
	}
	if err := m.c.AddKey(ctx, n.Name, api.AddKey{KeyName: keyName, Key: key}); err != nil {
		return outcome{object: n}, err
	}
	n, err := m.c.GetNamespace(ctx, n.Name)
	return outcome{changed: true, object: n}, err
}
