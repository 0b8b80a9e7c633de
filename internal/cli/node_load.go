package cli

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

func (a *app) nodeResources() *cobra.Command {
	return a.leaf(leaf{
		use: "resources NODE", short: "Show what a node has and what of it is in use",
		long:    "This is what the node reported last: memory in MiB, disks in bytes.",
		example: "sf-client node resources node-1\nsf-client node resources node-1 -o csv", complete: nodeNames,
		columns: []string{"node", "resource", "value"},
		run: func(ctx context.Context, c *client.Client, args []string) error {
			l, err := c.NodeEvents(ctx, args[0], api.EventQuery{Type: "resources", Limit: 1})
			if err != nil {
				return err
			}
			if len(l) == 0 {
				return failed("Node %s has not reported its resources yet", args[0])
			}
			var rows [][]string
			for _, name := range slices.Sorted(maps.Keys(l[0].Extra)) {
				rows = append(rows, []string{args[0], name, plain(l[0].Extra[name])})
			}
			return a.list(listing{value: l[0].Extra, rows: rows, key: "resource"})
		},
	})
}

// hog is a process that uses much CPU.
type hog struct {
	Node     string    `json:"node"`
	Process  string    `json:"process"`
	Fraction api.Float `json:"fraction"` // CPUs
}

func (a *app) nodeCPUHogs() *cobra.Command {
	threshold, ignore := 0.25, ""
	return a.leaf(leaf{
		use: "cpuhogs", short: "List the processes of the cloud's daemons that use much CPU",
		long:    "The exit code is 1 if there are any, so that a test can tell that a daemon is spinning.",
		example: "sf-client node cpuhogs\nsf-client node cpuhogs --threshold 0.5 --ignore api,cluster",
		columns: []string{"node", "process", "fraction"},
		flags: func(f *pflag.FlagSet) {
			f.Float64VarP(&threshold, "threshold", "t", threshold, "fraction of a CPU above which a process counts")
			f.StringVarP(&ignore, "ignore", "i", "", "processes that do not count, comma separated")
		},
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			hogs, err := findHogs(ctx, c, threshold, strings.Split(ignore, ","))
			if err != nil {
				return err
			}
			if err := a.hogs(hogs, threshold); err != nil {
				return err
			}
			if len(hogs) > 0 {
				return failed("%d processes use more than %.2f of a CPU", len(hogs), threshold)
			}
			return nil
		},
	})
}

// findHogs asks all nodes. One that was removed meanwhile has no processes.
func findHogs(ctx context.Context, c *client.Client, threshold float64, ignore []string) (api.List[hog], error) {
	nodes, err := c.ListNodes(ctx)
	if err != nil {
		return nil, err
	}
	var hogs api.List[hog]
	for _, n := range nodes {
		metrics, err := c.ProcessMetrics(ctx, n.Name)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(metrics)) {
			process, ok := strings.CutPrefix(name, "process_cpu_fraction_")
			if ok && metrics[name] > threshold && !slices.Contains(ignore, process) {
				hogs = append(hogs, hog{Node: n.Name, Process: process, Fraction: api.Float(metrics[name])})
			}
		}
	}
	return hogs, nil
}

func (a *app) hogs(l api.List[hog], threshold float64) error {
	lines := (a.format == formatPretty || a.format == formatSimple) && a.columns.picked == ""
	var rows [][]string
	for _, h := range l {
		if lines {
			a.printf("%s on node %s has consumed %.2f of a CPU, threshold is %.2f\n", harmless(h.Process), harmless(h.Node), float64(h.Fraction), threshold)
		}
		rows = append(rows, []string{h.Node, h.Process, strconv.FormatFloat(float64(h.Fraction), 'f', -1, 64)})
	}
	if lines {
		return nil
	}
	return a.list(listing{value: l, rows: rows, key: "process"})
}

func (a *app) nodeDelete() *cobra.Command {
	return a.leaf(leaf{
		use: "delete NODE", short: "Remove a node from the cloud for good",
		long:    "For a machine that will not come back. Its daemon must not run any more.",
		example: "sf-client node delete node-3", complete: nodeNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			n, err := c.DeleteNode(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(n, n.Name)
		},
	})
}
