package moves

import (
	"cmp"
	"context"
	"slices"
)

// Await waits until look finds an object in one of the states, or fails, and returns what it found last. An error counts
// only while the object is in none of the states. await calls its argument again after every change until it returns
// true, or fails when ctx ends.
func Await[T any, S ~string](
	ctx context.Context, await func(context.Context, func() bool) error, states []S, look func() (T, S, error),
) (T, error) {
	var object T
	var failed error
	err := await(ctx, func() bool {
		var state S
		if object, state, failed = look(); slices.Contains(states, state) {
			failed = nil
			return true
		}
		return failed != nil
	})
	return object, cmp.Or(err, failed)
}
