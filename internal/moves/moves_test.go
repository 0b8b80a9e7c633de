package moves_test

import (
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
