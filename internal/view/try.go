package view

import (
	"context"
	"errors"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/store"
)

// Try fails as Commit of t would at this moment, and writes nothing. It reads the key of each check.
func (v *View) Try(ctx context.Context, t Txn) error {
	if err := store.Validate(t.Checks, t.withHead()); err != nil {
		return fault.Wrap(t.Name, t.Ref, err)
	}
	var failed []store.Check
	for _, c := range t.Checks {
		ok, err := v.holds(ctx, c)
		if err != nil {
			return fault.Wrap(t.Name, t.Ref, err)
		}
		if !ok {
			failed = append(failed, c)
		}
	}
	if len(failed) > 0 {
		return fault.Wrap(t.Name, t.Ref, store.Conflict(failed))
	}
	return nil
}

func (v *View) holds(ctx context.Context, c store.Check) (bool, error) {
	if c.Kind == store.CheckEmpty {
		page, err := v.store.List(ctx, c.Key, "", 1)
		return len(page.Entries) == 0, err
	}
	e, err := v.store.Get(ctx, c.Key)
	if errors.Is(err, fault.NotFound) {
		return c.Kind == store.CheckAbsent, nil
	}
	return c.Kind == store.CheckAt && e.Revision == c.Revision, err
}
