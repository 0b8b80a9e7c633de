package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) nodeGroup() *cobra.Command {
	return group("node", "The machines of the cloud; for the namespace system only", "sf-client node list",
		a.nodeList(), a.nodeShow(), a.nodeDelete(), a.nodeResources(), a.nodeCPUHogs(),
		a.eventsCommand("a node", "NODE", nodeNames, (*client.Client).NodeEvents))
}

func (a *app) nodeList() *cobra.Command {
	return a.leaf(leaf{
		use: "list", short: "List the nodes",
		long:    "The letters of the column roles: D etcd master, H hypervisor, N network node, E event log node, M cluster maintainer.",
		example: "sf-client node list\nsf-client node list -o csv --columns name,state",
		columns: []string{"name", "ip", "lastseen", "state", "roles", "release"},
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			l, err := c.ListNodes(ctx)
			if err != nil {
				return err
			}
			return a.nodes(l)
		},
	})
}

func (a *app) nodes(l api.List[api.Node]) error {
	var rows [][]string
	for _, n := range l {
		rows = append(rows, []string{n.Name, n.IP, a.seen(n.LastSeen), n.State, roles(n), n.Release})
	}
	return a.list(listing{value: l, rows: rows, key: "name", simple: []string{"name", "ip", "lastseen", "state", "roles", "version"}})
}

// roles returns a letter for each role that a node has, and a space for each it has not.
func roles(n api.Node) string {
	letters := []byte("DHNEM")
	for i, has := range []bool{n.IsEtcdMaster, n.IsHypervisor, n.IsNetworkNode, n.IsEventLogNode, n.IsClusterMaintainer} {
		if !has {
			letters[i] = ' '
		}
	}
	return string(letters)
}

// seen returns when a node was seen last: for scripts in Unix seconds.
func (a *app) seen(t api.Time) string {
	if a.format != formatPretty {
		if t.IsZero() {
			return "0"
		}
		return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', -1, 64)
	}
	if t.IsZero() {
		return "never"
	}
	return fmt.Sprintf("%s (%d seconds ago)", local(t), int(time.Since(t.Time).Seconds()))
}

func (a *app) nodeShow() *cobra.Command {
	return a.leaf(leaf{
		use: "show NODE", short: "Show a node", example: "sf-client node show node-1", complete: nodeNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			n, err := c.GetNode(ctx, args[0])
			if err != nil {
				return err
			}
			return a.node(n)
		},
	})
}

func (a *app) node(n api.Node) error {
	return a.show(record{value: n, fields: []field{
		{"name", n.Name},
		{"ip", n.IP},
		{"state", n.State},
		{"last seen", a.seen(n.LastSeen)},
		{"version", strconv.Itoa(n.Version)},
		{"release", n.Release},
		{"etcd master", yesNo(n.IsEtcdMaster)},
		{"hypervisor", yesNo(n.IsHypervisor)},
		{"network node", yesNo(n.IsNetworkNode)},
		{"event log node", yesNo(n.IsEventLogNode)},
		{"cluster maintainer", yesNo(n.IsClusterMaintainer)},
	}, more: func() error { return a.metadata(n.Metadata) }})
}
