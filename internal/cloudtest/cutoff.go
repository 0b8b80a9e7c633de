package cloudtest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
)

// CutOff is what happens at a point of a tenant's life.
type CutOff string

// What may happen.
const (
	Killed CutOff = "killed" // the process dies
	Failed CutOff = "failed" // the step fails once, as if the state store or the host did not answer
)

// Story is what happens in a life, until nobody remembers any of it.
type Story struct {
	begin   func(testing.TB) (*Simulated, []act) // a fresh world, and what is asked for in it, in order
	objects int                                  // of which something is noted, at least
}

// Tenancy is a tenant's: a namespace with its keys, trust, notes on every kind of object, the end of all objects of a kind,
// of a node that left and of the namespace.
func Tenancy() Story {
	return Story{
		begin:   func(t testing.TB) (*Simulated, []act) { t.Helper(); return newAbandoned(t), tenancy() },
		objects: 15, // two of everything, or nearly
	}
}

// CutOffEverywhere lives a story once to see its steps. Then, for every point that pick chooses, it lives again in a fresh
// world, has how happen there and asserts that the request that was cut off did what was wanted or nothing, that the same
// request does it now, that what was accepted comes true, and that in the end nothing is left of anything.
func CutOffEverywhere(t *testing.T, story Story, how CutOff, pick func([]Point) []Point) Kills {
	t.Helper()
	pristine, all := undisturbed(t, story)
	k := Kills{Steps: len(all) / 2}
	for _, point := range pick(all) {
		if !cutOffAt(t, story, point, how, pristine) {
			k.Missed = append(k.Missed, point)
			continue
		}
		k.Points++
	}
	return k
}

// undisturbed returns the keys that the store of a world has in which nothing ever happened, and the points of a life: those
// that several lives have. Where two passes of a loop race, a life now and then has one step more.
func undisturbed(t *testing.T, story Story) (pristine map[string]bool, all []Point) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, "n1")
		p := w.Boot(t.Context(), t, Point{})
		_, err := p.Client.ListNodes(t.Context()) // logs in, for which the cloud makes its secret
		require.NoError(t, err)
		time.Sleep(2 * delay)
		p.Stop()
		pristine = keysOf(t.Context(), t, w.Parts.Store)
	})
	for n := range 3 {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, story, Point{}, Killed, pristine)
			l.live()
			steps := l.process.Steps()
			if n == 0 {
				all = slices.Clone(steps)
			}
			all = slices.DeleteFunc(all, func(p Point) bool { return !slices.Contains(steps, p) || movesEvents(p) || lostRace(steps, p) })
		})
	}
	return pristine, all
}

// lostRace tells the points before steps that had no effect, which differ from life to life: commits whose checks failed because
// another pass was quicker. Of as many steps of a name as had one, both sides are points.
func lostRace(all []Point, p Point) bool {
	p.After = true
	return !slices.Contains(all, p)
}

// cutOffAt lives until the point is reached and something happens there, and goes on to the end of the life.
func cutOffAt(t *testing.T, story Story, point Point, how CutOff, pristine map[string]bool) (hit bool) {
	t.Helper()
	t.Run(strings.ReplaceAll(point.String(), " ", "_"), func(t *testing.T) {
		for range attempts {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, story, point, how, pristine)
				l.live()
				hit = l.killer.wasHit()
			})
			if hit {
				return
			}
		}
	})
	return hit
}

// life is a story that is lived, with the point at which it is disturbed.
type life struct {
	tenant
	acts   []act
	story  Story
	t      *testing.T
	killer *killer // of the first process; the others live on
}

func newLife(t *testing.T, story Story, point Point, how CutOff, pristine map[string]bool) *life {
	t.Helper()
	l := &life{t: t, story: story, tenant: tenant{pristine: pristine, known: map[event.Object]bool{}}, killer: newKiller(point, nil)}
	l.world, l.acts = story.begin(t)
	if how == Failed {
		l.killer.fails = fault.New("test", fault.Unavailable, "", "failed on purpose")
	}
	l.process = l.world.boot(t.Context(), t, l.killer)
	t.Cleanup(func() { l.process.Stop() }) // before the folder goes, should the test fail
	return l
}

// calm is longer than anything the cloud does on its own takes.
const calm = 20 * time.Second

// live goes through all acts.
func (l *life) live() {
	l.t.Helper()
	for _, a := range l.acts {
		l.act(a)
		l.meet(l.t.Context(), l.t)
	}
	l.revive()
	time.Sleep(2 * delay) // what was noted of objects that are forgotten goes to the files of events
	require.GreaterOrEqual(l.t, len(l.known), l.story.objects)
	require.Empty(l.t, l.remembered(l.t.Context(), l.t))
	l.process.Stop()
	require.Empty(l.t, l.left(l.t.Context(), l.t))
}

// act does one act, and does it again if it was cut off. Its answer may come and the process die soon after: what was accepted
// comes true without being asked for again.
func (l *life) act(a act) {
	l.t.Helper()
	ctx := l.t.Context()
	l.revive()
	before := l.look(a)
	err := a.do(ctx, &l.tenant)
	time.Sleep(calm)
	died := l.revive()
	now := l.look(a)
	if err == nil {
		require.Equal(l.t, a.wanted, now, "%s: accepted, and did not come true", a.name)
		return
	}
	if !died { // so the answer is 503, because of what failed
		require.ErrorIs(l.t, err, fault.Unavailable, a.name)
		require.True(l.t, l.killer.wasHit(), "%s: %v", a.name, err)
	}
	require.Contains(l.t, []string{before, a.wanted}, now, "%s: cut off by %v, half done", a.name, err)
	err = a.do(ctx, &l.tenant)
	if now == a.wanted && (errors.Is(err, fault.Forbidden) || errors.Is(err, fault.NotFound)) {
		err = nil // it says that this is so already
	}
	require.NoError(l.t, err, "%s, again", a.name)
	time.Sleep(calm)
	require.Equal(l.t, a.wanted, l.look(a), "%s: asked for again", a.name)
}

// revive starts another process if this one is dead, and waits until it has done what was left to do.
func (l *life) revive() bool {
	l.t.Helper()
	if !l.process.dead() {
		return false
	}
	l.process.Stop()
	l.process = l.world.Boot(l.t.Context(), l.t, Point{})
	time.Sleep(calm)
	return true
}

func (l *life) look(a act) string {
	l.t.Helper()
	text, err := a.look(l.t.Context(), &l.tenant)
	if err != nil && l.revive() { // it died just then, of what it did on its own
		text, err = a.look(l.t.Context(), &l.tenant)
	}
	require.NoError(l.t, err, "after %s", a.name)
	return text
}
