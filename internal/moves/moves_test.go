package moves_test

import (
	"context"
	"errors"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/moves"
)

type state string

func table() moves.Table[state] {
	return moves.Table[state]{"initial": {"created", "deleted"}, "created": {"deleted"}, "deleted": {}}
}

func TestOnlyTheMovesOfTheTableAreAllowed(t *testing.T) {
	t.Parallel()
	all := []state{"initial", "created", "deleted"}
	allowed := 0
	for _, from := range all {
		for _, to := range all {
			if err := table().Check("thing", "1", from, to); err == nil {
				allowed++
			} else if !errors.Is(err, fault.Internal) {
				t.Errorf("%s to %s: %v, want internal", from, to, err)
			}
		}
	}
	if allowed != 3 {
		t.Errorf("%d moves are allowed, want the table's 3", allowed)
	}
	err := table().Check("thing", "1", "deleted", "created")
	if got, want := fault.Text(err), "the thing cannot go from deleted to created"; got != want {
		t.Errorf("the error says %q, want %q", got, want)
	}
}

func TestTheTableIsNobodysToChange(t *testing.T) {
	t.Parallel()
	m := table()
	m.Next("initial")[0] = "deleted"
	if got := m.Next("initial"); len(got) != 2 || got[0] != "created" {
		t.Errorf("after a caller wrote into its copy, next is %v", got)
	}
	if got := m.Next("deleted"); len(got) != 0 {
		t.Errorf("a final state moves to %v", got)
	}
}

func TestAwaitEndsInAWantedStateOrWithAnError(t *testing.T) {
	t.Parallel()
	cold := errors.New("the host has a cold")
	type seen struct {
		state state
		err   error
	}
	for name, c := range map[string]struct {
		life []seen
		want []state
		err  error
		ends int // how often it looks
	}{
		"wanted at once":                 {[]seen{{"created", nil}, {"deleted", nil}}, []state{"created"}, nil, 1},
		"wanted later":                   {[]seen{{"initial", nil}, {"created", nil}}, []state{"created"}, nil, 2},
		"one of several":                 {[]seen{{"initial", nil}, {"deleted", nil}}, []state{"created", "deleted"}, nil, 2},
		"an error ends it":               {[]seen{{"initial", nil}, {"error", cold}, {"created", nil}}, []state{"created"}, cold, 2},
		"but not where it is waited for": {[]seen{{"initial", nil}, {"error", cold}}, []state{"error"}, nil, 2},
		"the context ends":               {[]seen{{"initial", nil}}, []state{"created"}, context.Canceled, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			await := func(_ context.Context, cond func() bool) error {
				for range c.life {
					if cond() {
						return nil
					}
				}
				return context.Canceled
			}
			got, err := moves.Await(t.Context(), await, c.want, func() (int, state, error) {
				s := c.life[looks]
				looks++
				return looks, s.state, s.err
			})
			if got != c.ends || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("got %d, %v; want %d, %v", got, err, c.ends, c.err)
			}
		})
	}
}
