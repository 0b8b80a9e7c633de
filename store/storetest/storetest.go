// Package storetest is what the contract of package store means: checks that every store must pass.
//
//	func TestConformance(t *testing.T) {
//		storetest.TestStore(t, func(*testing.T) store.Store { return mystore.New() })
//	}
package storetest

import (
	"context"
	"testing"

	"github.com/shakenfist/shakenfist/store"
)

// Compacter is implemented by stores that can be told to forget history. Those that are not can not be checked for
// what they do when it is gone.
type Compacter interface {
	// Compact forgets the history before revision r: watching after a revision below r-1 ends with
	// store.ErrCompacted.
	Compact(ctx context.Context, r store.Revision) error
}

// promise is one thing the contract says, and how to find out.
type promise struct {
	says  string
	check func(t *testing.T, s store.Store)
}

// TestStore checks every promise of the contract, each on a store of its own: open must return an empty one that lives
// until the end of its t. Groups for optional interfaces are skipped with a message.
func TestStore(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	groups := []struct {
		name     string
		promises []promise
	}{
		{"reading", reading()},
		{"committing", committing()},
		{"limits", limits()},
		{"races", races()},
		{"watching", watching()},
		{"leases", leases()},
		{"counting", counting()},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, p := range g.promises {
				t.Run(p.says, func(t *testing.T) { p.check(t, open(t)) })
			}
		})
	}
}
