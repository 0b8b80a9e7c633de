package blob

import "sync"

// Hold keeps all files of a blob's ID from the sweep while somebody makes them, until release is called, which may be more
// than once. Files that the store does not want go then.
func (m *Manager) Hold(id string) (release func()) {
	m.mu.Lock()
	m.holds[id]++
	m.mu.Unlock()
	return sync.OnceFunc(func() {
		m.mu.Lock()
		if m.holds[id]--; m.holds[id] == 0 {
			delete(m.holds, id)
		}
		m.mu.Unlock()
		m.loop.Wake(id)
		m.care.Wake(id)
	})
}

func (m *Manager) isHeld(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.holds[id] > 0
}

// is reports whether a blob is in a set that mu guards.
func (m *Manager) is(set map[string]bool, id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return set[id]
}

// in puts a blob into a set that mu guards, until out is called.
func (m *Manager) in(set map[string]bool, id string) (out func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	set[id] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(set, id)
	}
}
