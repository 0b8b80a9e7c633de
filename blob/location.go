package blob

import (
	"strings"

	"github.com/shakenfist/shakenfist/internal/view"
)

// copyHere returns what is said of this node's copy of a blob.
func (m *Manager) copyHere(id string) (view.Row[location], bool) {
	return m.locations.Get(id + "/" + m.Node)
}

// isHere reports whether this node is said to have a copy of a blob that is good.
func (m *Manager) isHere(id string) bool {
	l, ok := m.copyHere(id)
	return ok && l.Value.Bad == ""
}

// holders returns the nodes that are said to have a good copy of a blob, and those whose copy is bad, both ascending.
func (m *Manager) holders(id string) (good, bad []string) {
	good, bad = []string{}, []string{}
	for _, l := range m.locations.By("blob", id) {
		node := strings.TrimPrefix(l.ID, id+"/")
		if l.Value.Bad == "" {
			good = append(good, node)
		} else {
			bad = append(bad, node)
		}
	}
	return good, bad
}
