package view

import "context"

// Batch commits a change of each of many objects, as many in one commit as fit. Add adds the change of one of them to tx, as
// the view holds it now; it may add nothing. A commit that meets a conflict is put together anew. When Batch fails, some of
// the changes may have been made: those of the objects that come first.
func (v *View) Batch(ctx context.Context, name string, ids []string, add func(tx *Txn, id string) error) error {
	for len(ids) > 0 {
		taken := 0
		err := v.Retry(ctx, func() error {
			tx := Txn{Name: name, Ref: ids[0]}
			for taken = 0; taken < len(ids); taken++ {
				with := tx.Clone()
				if err := add(&with, ids[taken]); err != nil {
					return err
				}
				if taken > 0 && !with.Fits() {
					break
				}
				tx = with
			}
			if len(tx.Ops) == 0 {
				return nil
			}
			_, err := v.Commit(ctx, tx)
			return err
		})
		if err != nil {
			return err
		}
		ids = ids[taken:]
	}
	return nil
}
