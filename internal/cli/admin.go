package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/client"
)

func (a *app) adminGroup() *cobra.Command {
	return group("admin", "The cloud itself; for the namespace system only", "sf-client admin lock list",
		group("lock", "What the cloud's daemons hold and work on", "sf-client admin lock list", a.lockList()))
}

func (a *app) lockList() *cobra.Command {
	return a.leaf(leaf{
		use: "list", short: "List the locks of the cloud and who holds them",
		long:    "They are the leases of daemons and the work that is under way. PID is that of the daemon on the node.",
		example: "sf-client admin lock list\nsf-client admin lock list --columns node,operation",
		columns: []string{"lock", "pid", "node", "operation"},
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			locks, err := c.ListLocks(ctx)
			if err != nil {
				return err
			}
			var rows [][]string
			for _, name := range slices.Sorted(maps.Keys(locks)) {
				l := locks[name]
				rows = append(rows, []string{name, strconv.Itoa(l.PID), l.Node, l.Operation})
			}
			return a.list(listing{value: locks, rows: rows, key: "lock"})
		},
	})
}
