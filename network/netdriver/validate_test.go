package netdriver_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

func good() netdriver.Network {
	return netdriver.Network{
		ID:    netdriver.ID{UUID: "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e01", VXLAN: 77},
		MTU:   1450,
		Peers: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")},
		Gateway: &netdriver.Gateway{
			Address: netip.MustParsePrefix("10.0.0.1/24"),
			DHCP: &netdriver.DHCP{
				Domain: "tenant.shakenfist",
				DNS:    []netip.Addr{netip.MustParseAddr("8.8.8.8")},
				Router: netip.MustParseAddr("10.0.0.1"),
				Hosts:  []netdriver.Host{{MAC: "02:00:00:00:00:01", Address: netip.MustParseAddr("10.0.0.2"), Name: "web"}},
			},
		},
	}
}

func TestValidateAcceptsAWholeNetwork(t *testing.T) {
	t.Parallel()
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	host := func(n *netdriver.Network) *netdriver.Host { return &n.Gateway.DHCP.Hosts[0] }
	for name, c := range map[string]struct {
		spoil func(n *netdriver.Network)
		says  string
	}{
		"an upper case UUID":               {func(n *netdriver.Network) { n.UUID = strings.ToUpper(n.UUID) }, "UUID"},
		"a path as UUID":                   {func(n *netdriver.Network) { n.UUID = "../../../../../../../../../../etc/pw" }, "UUID"},
		"VXLAN id 0":                       {func(n *netdriver.Network) { n.VXLAN = 0 }, "VXLAN"},
		"a VXLAN id of 25 bits":            {func(n *netdriver.Network) { n.VXLAN = 1 << 24 }, "VXLAN"},
		"a tiny MTU":                       {func(n *netdriver.Network) { n.MTU = 575 }, "MTU"},
		"a peer twice":                     {func(n *netdriver.Network) { n.Peers[1] = n.Peers[0] }, "peers"},
		"an IPv6 peer":                     {func(n *netdriver.Network) { n.Peers[1] = netip.MustParseAddr("2001:db8::1") }, "peer"},
		"the block as gateway":             {func(n *netdriver.Network) { n.Gateway.Address = netip.MustParsePrefix("10.0.0.0/24") }, "gateway"},
		"broadcast as gateway":             {func(n *netdriver.Network) { n.Gateway.Address = netip.MustParsePrefix("10.0.0.255/24") }, "gateway"},
		"no gateway address":               {func(n *netdriver.Network) { n.Gateway.Address = netip.Prefix{} }, "gateway"},
		"a block of two addresses":         {func(n *netdriver.Network) { n.Gateway.Address = netip.MustParsePrefix("10.0.0.1/31") }, "gateway"},
		"a domain that is an option":       {func(n *netdriver.Network) { n.Gateway.DHCP.Domain = "-x" }, "domain"},
		"a domain with a line break":       {func(n *netdriver.Network) { n.Gateway.DHCP.Domain = "a\nb" }, "domain"},
		"an IPv6 resolver":                 {func(n *netdriver.Network) { n.Gateway.DHCP.DNS[0] = netip.IPv6Loopback() }, "DNS"},
		"a host name with a comma":         {func(n *netdriver.Network) { host(n).Name = "a,ignore" }, "name"},
		"a host name with a line break":    {func(n *netdriver.Network) { host(n).Name = "a\nb" }, "name"},
		"a MAC with hyphens":               {func(n *netdriver.Network) { host(n).MAC = "02-00-00-00-00-01" }, "MAC"},
		"a multicast MAC":                  {func(n *netdriver.Network) { host(n).MAC = "03:00:00:00:00:01" }, "MAC"},
		"a host outside the block":         {func(n *netdriver.Network) { host(n).Address = netip.MustParseAddr("10.0.1.2") }, "address"},
		"a host with the router's address": {func(n *netdriver.Network) { host(n).Address = n.Gateway.Address.Addr() }, "address"},
		"a host twice":                     {func(n *netdriver.Network) { n.Gateway.DHCP.Hosts = append(n.Gateway.DHCP.Hosts, *host(n)) }, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := good()
			c.spoil(&n)
			err := n.Validate()
			if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want fault.Invalid that speaks of %q", err, c.says)
			}
		})
	}
}
