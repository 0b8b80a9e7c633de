package cli

import (
	"context"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// dryRun asks where an instance would go, and prints what the scheduler says of each node.
func (a *app) dryRun(ctx context.Context, c *client.Client, r api.CreateInstance) error {
	d, err := c.DryRunInstance(ctx, r)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, v := range d.Verdicts {
		chosen := d.Node != nil && *d.Node == v.Node
		rows = append(rows, []string{v.Node, yesNo(v.Fits), yesNo(chosen), v.Reason})
	}
	a.columns.all = []string{"node", "fits", "chosen", "reason"}
	if err := a.list(listing{value: d, rows: rows, key: "node"}); err != nil {
		return err
	}
	if d.Node == nil {
		return failed("No node can take instance %s now", r.Name)
	}
	return nil
}
