package view_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// large is as long as what is recorded of an instance.
type large struct {
	Name, Namespace, Key, Machine, Node string
	Sizes                               []int
	Disks                               []struct{ Base, Bus, Type string }
}

func largest() large {
	l := large{Name: "web", Namespace: "demo", Key: "ssh-ed25519 AAAA", Machine: "pc", Node: "node-1", Sizes: []int{1, 2, 3, 4}}
	l.Disks = make([]struct{ Base, Bus, Type string }, 3)
	return l
}

// BenchmarkRecord writes and reads one record, as every commit does.
func BenchmarkRecord(b *testing.B) {
	v := view.New(memstore.New(), nil)
	t := view.NewTable[large](v, "large")
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			t.Put("a", largest())
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		tx := view.Txn{}
		tx.Do(t.Put("a", largest()))
		for b.Loop() {
			_, ok := t.Pending(&tx, "a")
			require.True(b, ok)
		}
	})
}
