package simnet

import (
	"slices"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

// clone returns a copy of n that shares nothing with it.
func clone(n netdriver.Network) netdriver.Network {
	n.Peers = slices.Clone(n.Peers)
	if n.Gateway == nil {
		return n
	}
	g := *n.Gateway
	n.Gateway = &g
	if g.DHCP == nil {
		return n
	}
	dhcp := *g.DHCP
	dhcp.DNS, dhcp.Hosts = slices.Clone(dhcp.DNS), slices.Clone(dhcp.Hosts)
	n.Gateway.DHCP = &dhcp
	return n
}

// equal reports whether a and b ask for the same.
func equal(a, b netdriver.Network) bool {
	if a.ID != b.ID || a.MTU != b.MTU || !slices.Equal(a.Peers, b.Peers) || (a.Gateway == nil) != (b.Gateway == nil) {
		return false
	}
	if a.Gateway == nil {
		return true
	}
	if a.Gateway.Address != b.Gateway.Address || (a.Gateway.DHCP == nil) != (b.Gateway.DHCP == nil) {
		return false
	}
	if a.Gateway.DHCP == nil {
		return true
	}
	x, y := a.Gateway.DHCP, b.Gateway.DHCP
	return x.Domain == y.Domain && x.Router == y.Router && slices.Equal(x.DNS, y.DNS) && slices.Equal(x.Hosts, y.Hosts)
}
