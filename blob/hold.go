package blob

import "sync"

// Hold keeps all files of a blob's ID from the sweep while somebody makes them, until release is called, which may be more
// than once. Files that the store does not want go then. If such files are just being removed, it waits for that.
func (m *Manager) Hold(id string) (release func()) {
	m.mu.Lock()
	m.holds[id]++
	removing := m.removing[id]
	m.mu.Unlock()
	if removing != nil {
		<-removing
	}
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

// remove runs f, which removes files of an ID, unless somebody makes them. Whoever is about to waits until f has returned.
func (m *Manager) remove(id string, f func() error) error {
	done := make(chan struct{})
	m.mu.Lock()
	if m.holds[id] > 0 {
		m.mu.Unlock()
		return nil // letting it go looks again
	}
	m.removing[id] = done
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.removing, id)
		m.mu.Unlock()
		close(done)
	}()
	return f()
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
