package etcdstore

import (
	"fmt"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/shakenfist/shakenfist/store"
)

// BenchmarkCommit compares a typical commit, with fsync, to the same transaction made with etcd's client alone.
func BenchmarkCommit(b *testing.B) {
	s, err := Embedded(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	value := make([]byte, 1024)
	b.Run("store", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			key := fmt.Sprintf("store/%d/%d", b.N, n)
			ops := []store.Op{store.Put(key, value), store.Put(key+"/event", value), store.Put("head", nil)}
			if _, err := s.Commit(b.Context(), []store.Check{store.Absent(key)}, ops); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare client", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			key := fmt.Sprintf("/bare/%d/%d", b.N, n)
			_, err := s.client.Txn(b.Context()).
				If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
				Then(clientv3.OpPut(key, string(value)), clientv3.OpPut(key+"/event", string(value)), clientv3.OpPut("/head", "")).
				Commit()
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
