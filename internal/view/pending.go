package view

import "github.com/shakenfist/shakenfist/store"

// Pending returns the record that tx would write under an ID, so that two parts of one transaction can agree on it.
func (t *Table[T]) Pending(tx *Txn, id string) (T, bool) {
	key := t.Key(id)
	for _, o := range tx.Ops {
		if o.Kind == store.OpPut && o.Key == key {
			record, err := t.decode(o.Value)
			return record, err == nil
		}
	}
	var none T
	return none, false
}
