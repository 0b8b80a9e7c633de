package artifact

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Bounds of what a node asks of others at once.
const (
	maxDownloads   = 16
	defaultPerHost = 4
	maxWaiting     = 32              // of a namespace, for their turns; the others come when one of these has gone
	maxQuiet       = 2 * time.Minute // how long a server can ask to be left alone
)

// turns shares a node's downloads among namespaces and hosts. A namespace may have as many as are free: one alone gets half of
// them, two get a third each, and whoever comes next finds one, however slow everybody's servers are.
type turns struct {
	slots, perHost int
	wake           func(artifactID string)

	mu      sync.Mutex
	running int                  // guarded by mu, as all below
	spaces  map[string]int       // downloads under way, by namespace
	hosts   map[string]int       // the same by host
	quiet   map[string]time.Time // hosts that want to be left alone, and until when
	waiting []*turn
	later   map[string][]string // artifacts that were sent away, by namespace
}

// turn is one download that waits, or is under way.
type turn struct {
	namespace, host string
	granted         chan struct{} // closed when it may begin
}

func newTurns(perHost int, wake func(artifactID string)) *turns {
	return &turns{
		slots: maxDownloads, perHost: perHost, wake: wake,
		spaces: map[string]int{}, hosts: map[string]int{}, quiet: map[string]time.Time{}, later: map[string][]string{},
	}
}

// take waits for the turn of an artifact's download and returns what ends it. It returns nil and no error if too many of the
// namespace wait already: the artifact is woken when it is worth another try.
func (t *turns) take(ctx context.Context, artifactID, namespace, host string) (end func(), err error) {
	w := &turn{namespace: namespace, host: host, granted: make(chan struct{})}
	if !t.join(w, artifactID) {
		return nil, nil
	}
	select {
	case <-w.granted:
		return func() { t.end(w) }, nil
	case <-ctx.Done():
		t.leave(w)
		return nil, context.Cause(ctx)
	}
}

func (t *turns) join(w *turn, artifactID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waits(w.namespace) >= maxWaiting {
		if !slices.Contains(t.later[w.namespace], artifactID) {
			t.later[w.namespace] = append(t.later[w.namespace], artifactID)
		}
		return false
	}
	t.waiting = append(t.waiting, w)
	t.grant()
	return true
}

// waits counts those of a namespace that wait.
func (t *turns) waits(namespace string) (n int) {
	for _, w := range t.waiting {
		if w.namespace == namespace {
			n++
		}
	}
	return n
}

// grant lets begin who may, those of the namespace that has least first, and among them who came first.
func (t *turns) grant() {
	for {
		best := -1
		for i, w := range t.waiting {
			have := t.spaces[w.namespace]
			if have >= t.slots-t.running || w.host != "" && t.hosts[w.host] >= t.perHost {
				continue
			}
			if best < 0 || have < t.spaces[t.waiting[best].namespace] {
				best = i
			}
		}
		if best < 0 {
			return
		}
		w := t.waiting[best]
		t.waiting = slices.Delete(t.waiting, best, best+1)
		t.count(w, 1)
		close(w.granted)
	}
}

func (t *turns) count(w *turn, n int) {
	t.running += n
	for counts, key := range map[*map[string]int]string{&t.spaces: w.namespace, &t.hosts: w.host} {
		if (*counts)[key] += n; (*counts)[key] == 0 {
			delete(*counts, key)
		}
	}
}

func (t *turns) end(w *turn) {
	t.mu.Lock()
	t.count(w, -1)
	t.grant()
	called := t.call(w.namespace)
	t.mu.Unlock()
	for _, id := range called {
		t.wake(id)
	}
}

// leave gives up waiting, or a turn that came at that very moment.
func (t *turns) leave(w *turn) {
	t.mu.Lock()
	i := slices.Index(t.waiting, w)
	if i < 0 {
		t.mu.Unlock()
		t.end(w)
		return
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	called := t.call(w.namespace)
	t.mu.Unlock()
	for _, id := range called {
		t.wake(id)
	}
}

// call takes from those that were sent away as many as may wait now.
func (t *turns) call(namespace string) []string {
	away := t.later[namespace]
	n := min(max(maxWaiting-t.waits(namespace), 0), len(away))
	if n == len(away) {
		delete(t.later, namespace)
	} else {
		t.later[namespace] = away[n:]
	}
	return away[:n]
}

// hush notes that a host wants to be left alone for a while.
func (t *turns) hush(host string, pause time.Duration) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.quiet, func(_ string, until time.Time) bool { return !until.After(now) })
	t.quiet[host] = now.Add(min(pause, maxQuiet))
}

// silence returns for how long a host still wants to be left alone.
func (t *turns) silence(host string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(time.Until(t.quiet[host]), 0)
}
