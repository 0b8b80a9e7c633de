package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// Of two who claim the same address one wins, and the other learns what it lost.
func Example() {
	ctx, s := context.Background(), memstore.New()
	claim := func(owner string) error {
		_, err := s.Commit(ctx, []store.Check{store.Absent("ipam/net/10.0.0.5")}, []store.Op{
			store.Put("ipam/net/10.0.0.5", []byte(owner)),
			store.Put("instance/"+owner, nil),
		})
		return err
	}
	fmt.Println(claim("a"))
	err := claim("b")
	fmt.Println(errors.Is(err, fault.Conflict), store.FailedChecks(err)[0].Key)
	// Output:
	// <nil>
	// true ipam/net/10.0.0.5
}

// A parent goes when nothing refers to it, and not before.
func ExampleEmpty() {
	ctx, s := context.Background(), memstore.New()
	r, _ := s.Commit(ctx, nil, []store.Op{store.Put("blob/1", nil), store.Put("refs/blob/1/x", nil)})
	remove := func() error {
		_, err := s.Commit(ctx, []store.Check{store.At("blob/1", r), store.Empty("refs/blob/1/")}, []store.Op{store.Delete("blob/1")})
		return err
	}
	fmt.Println(remove())
	_, _ = s.Commit(ctx, nil, []store.Op{store.Delete("refs/blob/1/x")})
	fmt.Println(remove())
	// Output:
	// store.Commit: changed meanwhile: refs/blob/1/
	// <nil>
}
