package node

import "github.com/shakenfist/shakenfist/internal/view"

// Guard is the metadata.Guard of nodes.
func (m *Manager) Guard(tx *view.Txn, name string) error {
	row, ok := m.rows.Get(name)
	if !ok {
		return errNotFound("node.Guard", name)
	}
	tx.Check(m.rows.At(row, name))
	return nil
}
