package event_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

var errDead = errors.New("the process is dead")

// Wherever the process dies while it moves events, none is lost, and none is seen twice.
func TestKilledAtEveryStepOfMoving(t *testing.T) {
	t.Parallel()
	points, names := 0, map[string]bool{}
	for nth, reached := 0, true; reached; nth++ {
		reached = false
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				name, expected, n := dieAt(t, nth, after)
				if name == "" {
					return
				}
				reached, names[name] = true, true
				points++
				n.stop()
				next := start(t, n.store, event.Deps{Dir: n.dir, Budget: 1 << 20}, nil)
				check := func() {
					for _, typ := range []event.Type{event.Audit, event.Status, event.Usage} {
						require.Equal(t, expected[typ], messages(t, next.Recorder, web, typ, -1), "killed at %s (%d), after: %v", name, nth, after)
					}
					require.Empty(t, messages(t, next.Recorder, gone, "", -1))
				}
				check()
				time.Sleep(time.Minute)
				require.Zero(t, rows(t, n.store, "e/"))
				require.Zero(t, rows(t, n.store, "f/"))
				check()
			})
		}
	}
	t.Logf("killed at %d points of moving events: %v", points, names)
	require.Greater(t, points, 40)
	for _, name := range []string{"append events", "sync events", "commit move events", "rename event file", "remove event file", "commit sample", "commit event"} {
		require.True(t, names[name], name)
	}
}

var gone = event.Object{Kind: "instance", ID: "forgotten"} //nolint:gochecknoglobals // a constant

// dieAt lives until the nth step kills the process, and returns the step's name and the messages of events that were
// recorded; no name if there was no such step.
func dieAt(t *testing.T, nth int, after bool) (string, map[event.Type]string, *node) {
	t.Helper()
	var mu sync.Mutex
	var steps int
	var died string
	hook := func(_ context.Context, s step.Step) error {
		mu.Lock()
		defer mu.Unlock()
		if died != "" {
			return errDead
		}
		if !s.After {
			steps++
		}
		if steps == nth+1 && s.After == after {
			died = s.Name
			return errDead
		}
		return nil
	}
	n := start(t, memstore.New(), event.Deps{Dir: folder(t), Budget: 1 << 20}, hook)
	synctest.Wait() // the files are open
	ctx := step.WithHook(t.Context(), hook)
	recorded := make(map[event.Type][]string)
	for i := range 4 {
		for _, typ := range []event.Type{event.Audit, event.Status} {
			// Some hundreds in a commit, so that files fill up in few steps.
			var ops []store.Op
			var all []string
			for k := range 60 {
				m := fmt.Sprintf("%d-%d", i, k)
				ops, all = append(ops, n.Op(ctx, web, typ, m, nil)), append(all, m)
			}
			if _, err := n.Store().Commit(step.Named(ctx, "commit event", ""), nil, ops); err == nil || after && died == "commit event" {
				recorded[typ] = append(recorded[typ], all...)
				if err != nil {
					break
				}
			}
		}
		if died != "" {
			break
		}
		if m := fmt.Sprint(i); n.Sample(ctx, web, event.Usage, m, nil) == nil || after && died != "" || died == "commit sample" {
			recorded[event.Usage] = append(recorded[event.Usage], m) // it was in the files before the store heard of it
		}
		_, _ = n.Store().Commit(ctx, nil, []store.Op{n.Op(ctx, gone, event.Audit, "x", nil)})
		time.Sleep(11 * time.Second)
		_, _ = n.Store().Commit(ctx, nil, n.Forget(gone))
		if died != "" {
			break
		}
	}
	if died != "" { // whether or not the process heard of it, the object is forgotten before anybody looks
		_, err := n.store.Commit(t.Context(), nil, n.Forget(gone))
		require.NoError(t, err)
	}
	expected := make(map[event.Type]string)
	for typ, all := range recorded {
		slices.Reverse(all)
		expected[typ] = strings.Join(all, " ")
	}
	return died, expected, n
}
