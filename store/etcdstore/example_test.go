package etcdstore_test

import (
	"context"
	"fmt"
	"os"

	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
)

// A store that outlives the process, without a database to install.
func ExampleEmbedded() {
	dir, err := os.MkdirTemp("", "sf")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	for range 2 { // the second time it is there already
		s, err := etcdstore.Embedded(ctx, etcdstore.Options{Dir: dir})
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = s.Commit(ctx, []store.Check{store.Absent("k")}, []store.Op{store.Put("k", []byte("v"))})
		fmt.Println(err)
		if err := s.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// <nil>
	// store.Commit: changed meanwhile: k
}
