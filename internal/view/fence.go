package view

import "github.com/shakenfist/shakenfist/store"

// Fence returns a check that holds while this process speaks for its node. A nil Fence always holds.
type Fence func() store.Check

// Guard adds to tx that the fence holds.
func (f Fence) Guard(tx *Txn) {
	if f != nil {
		tx.Check(f())
	}
}
