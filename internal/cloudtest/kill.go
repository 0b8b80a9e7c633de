package cloudtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Kills is what a run of KillEverywhere or CutOffEverywhere found.
type Kills struct {
	Steps   int // distinct steps of one life
	Points  int // points at which a process was killed, or a step failed: before and after each step
	Missed  []Point
	Longest time.Duration // from a restart to everything as wanted; CutOffEverywhere does not measure it
}

// attempts is how often a point is tried that a process did not reach: loops run beside each other, so the number of times
// a step comes may differ from life to life.
const attempts = 4

// Course brings a world to where everything was made that its life is about. What is there already is used, so that it can be
// run again after it was cut off. It returns what was accepted, "" if nothing was, which must be the same then.
type Course func(ctx context.Context, p *Process, w World) (accepted string, err error)

// upOne is the course to a network and an instance from an image.
func upOne(ctx context.Context, p *Process, w World) (string, error) {
	i, err := Up(ctx, p.Client, w.Image())
	return i.UUID, err
}

// KillEverywhere is KillInCourse of a life of a network, an instance from an image, and the end of both.
func KillEverywhere(t *testing.T, fresh func(testing.TB) World, patience time.Duration, pick func([]Point) []Point) Kills {
	t.Helper()
	return KillInCourse(t, fresh, upOne, patience, pick)
}

// KillInCourse goes through a life once, the course and the end of all that it made, to see its steps. Then, for every one
// that pick chooses, it lives again in a fresh world, kills the process there, starts another and asserts that what was
// asked for comes true: what was accepted comes to be, a wanted end is reached, and nothing is left behind.
func KillInCourse(t *testing.T, fresh func(testing.TB) World, course Course, patience time.Duration, pick func([]Point) []Point) Kills {
	t.Helper()
	all := record(t, fresh, course, patience)
	k := Kills{Steps: len(all) / 2}
	for _, point := range pick(all) {
		reached := false
		for range attempts {
			took, hit := killAt(t, fresh, course, patience, point)
			if reached = hit; hit {
				k.Longest = max(k.Longest, took)
				break
			}
		}
		if !reached {
			k.Missed = append(k.Missed, point)
			continue
		}
		k.Points++
	}
	return k
}

// record lives once, undisturbed, and returns the points it went through.
func record(t *testing.T, fresh func(testing.TB) World, course Course, patience time.Duration) []Point {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w := fresh(t)
	defer w.Close(t)
	p := w.Boot(ctx, t, Point{})
	_, err := course(ctx, p, w)
	require.NoError(t, err)
	require.NoError(t, Down(ctx, p.Client))
	require.Empty(t, Remaining(ctx, t, w))
	settle(ctx, p)
	p.Stop()
	return slices.DeleteFunc(p.Steps(), movesEvents)
}

// movesEvents tells the steps of measuring and of moving events to files, which come when time has passed, and not in every life. Package
// event has a test of its own that kills at each of them.
func movesEvents(p Point) bool {
	return slices.Contains([]string{
		"append events", "sync events", "commit move events", "commit event", "commit sample", "rename event file", "remove event file",
	}, p.Step)
}

// killAt lives until the point kills the process, and then goes on with another.
func killAt(t *testing.T, fresh func(testing.TB) World, course Course, patience time.Duration, point Point) (took time.Duration, hit bool) {
	t.Helper()
	t.Run(strings.ReplaceAll(point.String(), " ", "_"), func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("not as wanted in "+patience.String()))
		defer cancel()
		w := fresh(t)
		defer w.Close(t)
		p := w.Boot(ctx, t, point)
		accepted, ending := live(ctx, p, w, course)
		p.Stop()
		if hit = p.dead(); !hit {
			return
		}
		start := time.Now()
		p = w.Boot(ctx, t, Point{})
		defer p.Stop()
		if !ending {
			made, err := course(ctx, p, w)
			require.NoError(t, err)
			if accepted != "" {
				require.Equal(t, accepted, made, "what was accepted is what came to be")
			}
		}
		require.NoError(t, Down(ctx, p.Client))
		took = time.Since(start)
		require.Empty(t, Remaining(ctx, t, w))
	})
	return took, hit
}

// live goes through a life until the process dies. It returns what was accepted, if anything, and whether its end was asked
// for.
func live(ctx context.Context, p *Process, w World, course Course) (accepted string, ending bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var err error
		if accepted, err = course(ctx, p, w); err != nil {
			return
		}
		ending = true
		if Down(ctx, p.Client) == nil {
			settle(ctx, p)
			p.Stop() // its last steps count too
		}
	}()
	select {
	case <-done:
	case <-p.Dead:
		cancel()
		<-done
	}
	return accepted, ending
}

// settle waits until the process takes no more steps: its loops tidy up after what was asked for is done.
func settle(ctx context.Context, p *Process) {
	const quiet = 200 * time.Millisecond
	for before := -1; ctx.Err() == nil; {
		now := len(p.Steps())
		if now == before {
			return
		}
		before = now
		select {
		case <-time.After(quiet):
		case <-p.Dead:
			return
		case <-ctx.Done():
		}
	}
}

// Every chooses all points.
func Every(all []Point) []Point { return all }

// Sample chooses n points, spread by the seed.
func Sample(n int, seed uint64) func([]Point) []Point {
	return func(all []Point) []Point {
		chosen := slices.Clone(all)
		shuffle(chosen, seed)
		return chosen[:min(n, len(chosen))]
	}
}
