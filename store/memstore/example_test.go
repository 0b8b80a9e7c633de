package memstore_test

import (
	"context"
	"fmt"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// A test makes the store fail once.
func ExampleStore_FailNext() {
	s := memstore.New()
	s.FailNext("Commit", fault.New("test", fault.Unavailable, "", "the store is away"))
	for range 2 {
		_, err := s.Commit(context.Background(), nil, []store.Op{store.Put("k", nil)})
		fmt.Println(err)
	}
	// Output:
	// test: the store is away
	// <nil>
}
