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

// minSteps is how many steps a life of an artifact has at least, each once before and once after its effect. It is less
// than there are only because progress events depend on how the content arrives.
const minSteps = 2 * 14

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
		case <-time.After(time.Minute):
		}
	}
	return nil
}

// trap acts at the n-th announcement of a step.
type trap struct {
	at   int
	kill context.CancelCauseFunc // nil: that step fails, and nothing else

	mu      sync.Mutex
	seen    int         // guarded by mu
	reached []step.Step // guarded by mu
	dead    bool        // guarded by mu
}

func (p *trap) hook(_ context.Context, s step.Step) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errKilled
	}
	p.seen++
	p.reached = append(p.reached, s)
	if p.seen != p.at {
		return nil
	}
	if p.kill == nil {
		return fault.New("test", fault.Unavailable, s.Ref, "%s failed", s.Name)
	}
	p.dead = true
	p.kill(errKilled)
	return errKilled
}

// record runs an undisturbed life and returns its steps.
func record(t *testing.T) []step.Step {
	t.Helper()
	var p trap
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.origin.has(disk(20, 1), yesterday())
		setUp := w.start(nil).withNamespaces()
		setUp.stop()
		c := w.start(p.hook)
		ctx, cancel := context.WithTimeout(c.ctx, 3*linger)
		defer cancel()
		require.NoError(t, c.lifecycle(ctx))
		require.Empty(t, w.files())
	})
	return p.reached
}

func TestEveryStepCanFail(t *testing.T) {
	t.Parallel()
	steps := record(t)
	t.Logf("N = %d steps, before and after their effect", len(steps))
	require.GreaterOrEqual(t, len(steps), minSteps, "steps went missing: %v", steps)
	for i, s := range steps {
		t.Run(fmt.Sprintf("%03d %s after=%t", i+1, s.Name, s.After), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.origin.has(disk(20, 1), yesterday())
				setUp := w.start(nil).withNamespaces()
				setUp.stop()
				p := &trap{at: i + 1}
				c := w.start(p.hook)
				ctx, cancel := context.WithTimeout(c.ctx, 3*linger)
				defer cancel()
				require.NoError(t, c.lifecycle(ctx), "what is left: %v", w.keys())
				c.stop()
				require.GreaterOrEqual(t, p.seen, p.at, "the fault was not reached")
				require.Empty(t, w.files())
			})
		})
	}
}

func TestTheProcessCanDieAtEveryStep(t *testing.T) {
	t.Parallel()
	steps := record(t)
	t.Logf("N = %d steps, before and after their effect", len(steps))
	require.GreaterOrEqual(t, len(steps), minSteps, "steps went missing: %v", steps)
	for i, s := range steps {
		t.Run(fmt.Sprintf("%03d %s after=%t", i+1, s.Name, s.After), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.origin.has(disk(20, 1), yesterday())
				setUp := w.start(nil).withNamespaces()
				setUp.stop()
				p := &trap{at: i + 1}
				c := w.start(p.hook)
				ctx, kill := context.WithCancelCause(c.ctx)
				p.kill = kill
				if err := c.lifecycle(ctx); err != nil { // the last effect completes a life
					require.ErrorIs(t, err, errKilled)
				}
				c.stop()
				require.True(t, p.dead, "the fault was not reached")

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
