package server

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/shakenfist/shakenfist/fault"
)

// How often one source may try keys that are wrong, and how many sources are remembered.
const (
	guessBurst = 10
	guessRate  = rate.Limit(1) // a second, after the burst
	maxSources = 4096
)

// guesses bounds how often each source tries keys that are wrong. Of more sources than maxSources it forgets the one that was
// heard of least recently.
type guesses struct {
	mu      sync.Mutex
	sources map[netip.Prefix]*list.Element // guarded by mu; of *source
	recent  *list.List                     // guarded by mu; the one heard of last is in front
}

type source struct {
	prefix netip.Prefix
	left   *rate.Limiter
}

func newGuesses() *guesses {
	return &guesses{sources: map[netip.Prefix]*list.Element{}, recent: list.New()}
}

// take counts a wrong key from a source. It fails with fault.Unavailable if there were too many, and says when to come again.
func (g *guesses) take(from netip.Prefix) error {
	left := g.of(from)
	if left.Allow() {
		return nil
	}
	wait := max(time.Millisecond, time.Duration((1-left.Tokens())/float64(guessRate)*float64(time.Second)))
	return later{fault.New("server.login", fault.Unavailable, "", "too many failed logins from your address; check the key, and try again in %s",
		wait.Round(time.Millisecond)), wait}
}

// of returns the limiter of a source, and remembers that it was heard of.
func (g *guesses) of(from netip.Prefix) *rate.Limiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, ok := g.sources[from]
	if !ok {
		if g.recent.Len() >= maxSources {
			oldest := g.recent.Back()
			delete(g.sources, g.recent.Remove(oldest).(*source).prefix) //nolint:errcheck,forcetypeassert // nothing else is in it
		}
		e = g.recent.PushFront(&source{prefix: from, left: rate.NewLimiter(guessRate, guessBurst)})
		g.sources[from] = e
	}
	g.recent.MoveToFront(e)
	return e.Value.(*source).left //nolint:errcheck,forcetypeassert // nothing else is in it
}

// sourceOf returns whose guesses are counted together: an IPv4 address, or the /64 that an IPv6 customer usually has whole.
// Headers that tell of addresses behind a proxy are not believed, since anybody can write them; behind one all callers are
// one source, and those with right keys notice nothing of it.
func sourceOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{} // not over IP: all of those are one source
	}
	addr := at.Addr().Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // the length fits the address
	return prefix
}
