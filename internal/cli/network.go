package cli

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) networkGroup() *cobra.Command {
	g := group("network", "Virtual networks", "sf-client network create net1 10.0.0.0/24",
		a.networkList(), a.networkShow(), a.networkCreate(), a.networkDelete(), a.networkDeleteAll(), a.networkInstances(), a.networkAddresses(),
		a.eventsCommand("a network", "NETWORK", networkNames, (*client.Client).NetworkEvents))
	g.AddCommand(a.metadataCommands(annotated{
		object: "a network", argument: "NETWORK", example: "net1", complete: networkNames,
		get: (*client.Client).NetworkMetadata,
		set: (*client.Client).SetNetworkMetadata, delete: (*client.Client).DeleteNetworkMetadata,
	})...)
	return g
}

func (a *app) networkList() *cobra.Command {
	var all bool
	return a.leaf(leaf{
		use: "list", short: "List networks",
		example: "sf-client network list\nsf-client --simple network list --all\nsf-client network list -o name",
		columns: []string{"uuid", "name", "namespace", "netblock", "state"},
		flags:   func(f *pflag.FlagSet) { f.BoolVarP(&all, "all", "a", false, "deleted ones too") },
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			l, err := c.ListNetworks(ctx, all)
			if err != nil {
				return err
			}
			return a.networks(l)
		},
	})
}

func (a *app) networks(l api.List[api.Network]) error {
	var rows [][]string
	for _, n := range l {
		rows = append(rows, []string{n.UUID, n.Name, n.Namespace, n.Netblock, n.State})
	}
	// Scripts count on a header without the state, and on rows that have it.
	return a.list(listing{value: l, rows: rows, key: "uuid", simple: []string{"uuid", "name", "namespace", "netblock"}})
}

func (a *app) networkShow() *cobra.Command {
	return a.leaf(leaf{
		use: "show NETWORK", short: "Show a network", example: "sf-client network show net1", complete: networkNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			n, err := c.GetNetwork(ctx, args[0])
			if err != nil {
				return err
			}
			return a.network(n)
		},
	})
}

func (a *app) network(n api.Network) error {
	return a.show(record{value: n, fields: []field{
		{"uuid", n.UUID},
		{"name", n.Name},
		{"vxlan id", strconv.Itoa(n.VXLANID)},
		{"netblock", n.Netblock},
		{"provide dhcp", yesNo(n.ProvideDHCP)},
		{"provide nat", yesNo(n.ProvideNAT)},
		{"provide DNS", yesNo(n.ProvideDNS)},
		{"floating gateway", orNone(n.FloatingGateway)},
		{"namespace", n.Namespace},
		{"state", n.State},
	}, more: func() error { return a.metadata(n.Metadata) }})
}

func (a *app) networkCreate() *cobra.Command {
	dhcp, nat, dns, namespace := true, true, false, ""
	return a.leaf(leaf{
		use: "create NAME NETBLOCK", short: "Create a network",
		long:    "NETBLOCK is an IPv4 range such as 10.0.0.0/24. It may also come before NAME.",
		example: "sf-client network create net1 10.0.0.0/24\nsf-client network create isolated 192.168.7.0/24 --no-nat --no-dhcp",
		waits:   true,
		flags: func(f *pflag.FlagSet) {
			choose(f, &dhcp, true, "dhcp", "give instances their addresses by DHCP (the default)")
			choose(f, &dhcp, false, "no-dhcp", "do not")
			choose(f, &nat, true, "nat", "let instances reach the outside by NAT (the default)")
			choose(f, &nat, false, "no-nat", "do not")
			choose(f, &dns, true, "dns", "answer DNS queries for the names of instances")
			choose(f, &dns, false, "no-dns", "do not (the default)")
			namespaceFlag(f, &namespace)
		},
		run: func(ctx context.Context, c *client.Client, args []string) error {
			name, netblock, err := nameAndNetblock(args[0], args[1])
			if err != nil {
				return err
			}
			n, err := c.In(namespace).CreateNetwork(ctx, api.CreateNetwork{
				Name: &name, Netblock: netblock, ProvideDHCP: &dhcp, ProvideNAT: &nat, ProvideDNS: &dns,
			})
			if err != nil {
				return err
			}
			return a.networkMade(ctx, c, n)
		},
	})
}

// nameAndNetblock tells which of two arguments is the netblock. If both could be, it is the second.
func nameAndNetblock(first, second string) (name, netblock string, err error) {
	if _, err := netip.ParsePrefix(second); err == nil {
		return first, second, nil
	}
	if _, err := netip.ParsePrefix(first); err == nil {
		return second, first, nil
	}
	return "", "", usageError{"neither " + strconv.Quote(first) + " nor " + strconv.Quote(second) +
		" is a netblock: want an IPv4 range such as 10.0.0.0/24"}
}

func (a *app) networkDelete() *cobra.Command {
	var namespace string
	return a.leaf(leaf{
		use: "delete NETWORK", short: "Delete a network",
		long:    "While instances still have interfaces on it, it stays in state delete-wait; it goes away with the last of them.",
		example: "sf-client network delete net1\nsf-client network delete net1 --wait", complete: networkNames,
		waits: true,
		flags: func(f *pflag.FlagSet) { namespaceFlag(f, &namespace) },
		run: func(ctx context.Context, c *client.Client, args []string) error {
			n, err := c.In(namespace).DeleteNetwork(ctx, args[0])
			if err != nil {
				return err
			}
			if n.UUID == "" { // it was deleted already
				return a.done(nil, args[0])
			}
			return a.networkGone(ctx, c, n)
		},
	})
}

func (a *app) networkInstances() *cobra.Command {
	return a.leaf(leaf{
		use: "instances NETWORK", short: "List the instances on a network, and their addresses there",
		example: "sf-client network instances net1", complete: networkNames,
		columns: []string{"instance_uuid", "ipv4", "floating"},
		run: func(ctx context.Context, c *client.Client, args []string) error {
			l, err := c.NetworkInterfaces(ctx, args[0])
			if err != nil {
				return err
			}
			var rows [][]string
			for _, i := range l {
				rows = append(rows, []string{i.InstanceUUID, orNone(i.IPv4), orNone(i.Floating)})
			}
			return a.list(listing{value: api.List[api.Interface](l), rows: rows, key: "instance_uuid"})
		},
	})
}

func (a *app) networkAddresses() *cobra.Command {
	return a.leaf(leaf{
		use: "addresses NETWORK", short: "List the addresses of a network that are not free, and who has them",
		example: "sf-client network addresses net1", complete: networkNames,
		columns: []string{"address", "type", "user", "comment"},
		run: func(ctx context.Context, c *client.Client, args []string) error {
			l, err := c.NetworkAddresses(ctx, args[0])
			if err != nil {
				return err
			}
			return a.addresses(l)
		},
	})
}

// addresses prints reservations in the order of their addresses, which is not that of their text.
func (a *app) addresses(l api.List[api.Reservation]) error {
	value := slices.Clone(l) // programs get them as they came
	slices.SortStableFunc(l, func(x, y api.Reservation) int {
		// An address that does not parse is the zero one, and comes first.
		xAddr, _ := netip.ParseAddr(x.Address)
		yAddr, _ := netip.ParseAddr(y.Address)
		return cmp.Or(xAddr.Compare(yAddr), cmp.Compare(x.Address, y.Address))
	})
	var rows [][]string
	for _, r := range l {
		rows = append(rows, []string{r.Address, r.Type, strings.Join(r.User, " "), r.Comment})
	}
	return a.list(listing{value: value, rows: rows, key: "address"})
}
