package artifact_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// life is what happens in the life of an artifact, and how often. Each is tried once before and once after its effect.
var life = []struct {
	step  string
	times int
}{
	{"commit cache artifact", 1},
	{"commit image progress", 1},
	{"rename blob", 1},
	{"commit conclude fetch", 1},
	{"hypervisor.Convert", 1},
	{"rename disk", 1},
	{"commit delete artifact", 1},
	{"commit drop artifact versions", 1},
	{"commit end blob", 1},
	{"remove file", 2},
	{"commit drop blob location", 1},
	{"commit forget artifact", 1},
	{"commit forget blob", 1},
}

// oneRead is an image that arrives in one piece, so that the number of progress events is always the same.
func oneRead() []byte { return disk(1, 1) }

var errKilled = errors.New("the process was killed")

// lifecycle fetches an image, deletes it, and waits until nothing is left of it, giving up when the process dies.
// Intents that fail of a passing fault are asked for again, as a client would.
func (c *cloud) lifecycle(ctx context.Context) error {
	insist := func(f func() error) error {
		for {
			err := f()
			if err == nil || ctx.Err() != nil || !errors.Is(err, fault.Unavailable) {
				return errors.Join(err, context.Cause(ctx))
			}
			time.Sleep(time.Second)
		}
	}
	var a artifact.Artifact
	if err := insist(func() (err error) {
		a, err = c.artifacts.Cache(ctx, artifact.Request{URL: imageURL, Namespace: "tenant"})
		return err
	}); err != nil {
		return err
	}
	var failed error
	if err := c.view.Await(ctx, func() (done bool) {
		_, done, failed = c.artifacts.Progress(artifact.Wanted{ArtifactID: a.ID, Generation: 1})
		return done
	}); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	a, err := c.artifacts.Get(ctx, a.ID)
	if err != nil {
		return err
	}
	v, _ := a.Newest()
	if err := c.eventually(ctx, func() bool {
		_, _, ok, err := c.blobs.Cached(v.Blob)
		return ok && err == nil
	}); err != nil {
		return err
	}
	if err := insist(func() error { _, err := c.artifacts.Delete(ctx, a.ID); return err }); err != nil {
		return err
	}
	return c.eventually(ctx, func() bool { return len(c.keys()) == 0 })
}

// eventually asks again until cond holds or the process dies.
func (c *cloud) eventually(ctx context.Context, cond func() bool) error {
	for !cond() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(47 * time.Second): // not when everything is looked at again
		}
	}
	return nil
}

// moment is a step of a life: the nth of its name.
type moment struct {
	name  string
	nth   int
	after bool
}

func (m moment) String() string {
	when := "before"
	if m.after {
		when = "after"
	}
	return fmt.Sprintf("%s %s #%d", when, m.name, m.nth)
}

// moments returns every moment of a life.
func moments() []moment {
	var all []moment
	for _, l := range life {
		for n := range l.times {
			all = append(all, moment{l.step, n + 1, false}, moment{l.step, n + 1, true})
		}
	}
	return all
}

// trap acts at one moment.
type trap struct {
	at   moment
	kill context.CancelCauseFunc // nil: that step fails, and nothing else

	mu      sync.Mutex
	seen    map[moment]int // guarded by mu; moments reached, by name and side
	reached bool           // guarded by mu
	dead    bool           // guarded by mu
}

func (p *trap) hook(_ context.Context, s step.Step) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errKilled
	}
	if p.seen == nil {
		p.seen = map[moment]int{}
	}
	here := moment{name: s.Name, after: s.After}
	p.seen[here]++
	here.nth = p.seen[here]
	if here != p.at {
		return nil
	}
	p.reached = true
	if p.kill == nil {
		return fault.New("test", fault.Unavailable, s.Ref, "%s failed", s.Name)
	}
	p.dead = true
	p.kill(errKilled)
	return errKilled
}

// stage is a world with an image and a namespace, and no process.
func stage(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.origin.has(oneRead(), yesterday())
	w.start(nil).withNamespaces().stop()
	return w
}

func TestALifeHasTheStepsThatAreTried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := stage(t)
		var p trap
		c := w.start(p.hook)
		ctx, cancel := context.WithTimeout(c.ctx, 3*linger)
		defer cancel()
		require.NoError(t, c.lifecycle(ctx))
		require.Empty(t, w.files())
		synctest.Wait()
		c.stop()
		want, seen := []string{}, []string{}
		for _, l := range life {
			want = append(want, fmt.Sprint(l.times, moment{name: l.step}), fmt.Sprint(l.times, moment{name: l.step, after: true}))
		}
		for m, times := range p.seen {
			seen = append(seen, fmt.Sprint(times, m))
		}
		require.ElementsMatch(t, want, seen)
		t.Logf("N = %d moments", len(moments()))
	})
}

func TestEveryStepCanFail(t *testing.T) {
	t.Parallel()
	for _, at := range moments() {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := stage(t)
				p := &trap{at: at}
				c := w.start(p.hook)
				ctx, cancel := context.WithTimeout(c.ctx, 3*linger)
				defer cancel()
				require.NoError(t, c.lifecycle(ctx), "what is left: %v", w.keys())
				synctest.Wait()
				c.stop()
				require.True(t, p.reached, "the fault was not reached")
				require.Empty(t, w.files())
			})
		})
	}
}

func TestTheProcessCanDieAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, at := range moments() {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := stage(t)
				p := &trap{at: at}
				c := w.start(p.hook)
				ctx, kill := context.WithCancelCause(c.ctx)
				p.kill = kill
				if err := c.lifecycle(ctx); err != nil { // the last effect completes a life
					require.ErrorIs(t, err, errKilled)
				}
				synctest.Wait()
				c.stop()
				require.True(t, p.reached, "the fault was not reached")

				again := w.start(nil)
				time.Sleep(2 * resync)
				again.consistent()
				bounded, cancel := context.WithTimeout(again.ctx, 3*linger)
				defer cancel()
				require.NoError(t, again.lifecycle(bounded), "what is left: %v", w.keys())
				require.Empty(t, w.files())
			})
		})
	}
}
