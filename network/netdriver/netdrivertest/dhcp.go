package netdrivertest

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

func leases(w *world) {
	n := w.gateway(1, 2)
	n.Gateway.DHCP.Hosts[0].Name = "web"
	w.ensure(0, n)
	w.ensure(1, w.plain(1))
	known := w.plug(1, w.plain(1), mac(2))
	l := w.wantLease(known, addr(2), "a known MAC")
	if l.Address.Bits() != 24 || l.Router != addr(1) || l.MTU != n.MTU || l.Domain != "tenant.example" || l.Name != "web" {
		w.Errorf("lease is %+v, want /24, router %s, MTU %d, domain tenant.example and name web", l, addr(1), n.MTU)
	}
	if !slices.Equal(l.DNS, n.Gateway.DHCP.DNS) {
		w.Errorf("lease offers the resolvers %v, want %v", l.DNS, n.Gateway.DHCP.DNS)
	}
	w.wantPing(known, addr(1), small, "with the leased address")
	stranger := w.plug(0, n, mac(3))
	w.wantNoLease(stranger, "an unknown MAC")

	n.Gateway.DHCP.Hosts = append(n.Gateway.DHCP.Hosts, netdriver.Host{MAC: mac(3), Address: addr(3)})
	w.ensure(0, n)
	w.wantLease(stranger, addr(3), "a MAC that was added")
	w.wantLease(known, addr(2), "the other MAC")
}

// hostNames has names that a DHCP server could take for something else: keywords, times, numbers.
func hostNames(w *world) {
	n := w.gateway(1)
	names := []string{"ignore", "infinite", "1h", "30", "10-7-0-99", "deprecated", "id", "A-b-C"}
	for i, name := range names {
		g := uint8(10 + i)
		n.Gateway.DHCP.Hosts = append(n.Gateway.DHCP.Hosts, netdriver.Host{MAC: mac(g), Address: addr(g), Name: name})
	}
	w.ensure(0, n)
	for i, name := range names {
		p := w.plug(0, n, n.Gateway.DHCP.Hosts[i].MAC)
		if l := w.wantLease(p, n.Gateway.DHCP.Hosts[i].Address, name); !strings.EqualFold(l.Name, name) || l.Domain != "tenant.example" {
			w.Errorf("host %s was told its name is %q in %q", name, l.Name, l.Domain)
		}
		p.Close()
	}
}

func removesHost(w *world) {
	n := w.gateway(1, 2, 3)
	w.ensure(0, n)
	a, b := w.plug(0, n, mac(2)), w.plug(0, n, mac(3))
	w.wantLease(a, addr(2), "before")
	n.Gateway.DHCP.Hosts = n.Gateway.DHCP.Hosts[1:]
	w.ensure(0, n)
	w.wantNoLease(a, "the host that was removed after it had a lease")
	w.wantLease(b, addr(3), "the host that stays")
	n.Gateway.DHCP.Hosts = nil
	w.ensure(0, n)
	w.wantNoLease(b, "the last host, removed")
	n.Gateway.DHCP = nil
	w.ensure(0, n)
	w.wantPing(w.at(0, n, 4), addr(1), small, "the gateway without DHCP")
}

func movesAddress(w *world) {
	n := w.gateway(1, 2)
	w.ensure(0, n)
	a, b := w.plug(0, n, mac(2)), w.plug(0, n, mac(3))
	w.wantLease(a, addr(2), "the first owner")
	a.Close()
	n.Gateway.DHCP.Hosts[0].MAC = mac(3)
	w.ensure(0, n)
	w.wantLease(b, addr(2), "the new owner")
	n.Gateway.DHCP.Hosts[0].Address = addr(9)
	w.ensure(0, n)
	w.wantLease(b, addr(9), "the owner of a new address")
	n.Gateway.DHCP.Hosts = []netdriver.Host{{MAC: mac(3), Address: addr(10)}, {MAC: mac(2), Address: addr(9)}}
	w.ensure(0, n)
	again := w.plug(0, n, mac(2))
	w.wantLease(again, addr(9), "who got another's former address")
	w.wantLease(b, addr(10), "who gave its address away")
}

func changesOptions(w *world) {
	n := w.gateway(1, 2)
	w.ensure(0, n)
	p := w.plug(0, n, mac(2))
	w.wantLease(p, addr(2), "before")
	dhcp := n.Gateway.DHCP
	n.MTU, dhcp.Domain, dhcp.Router, dhcp.DNS = w.mtu-20, "other.example", netip.Addr{}, nil
	w.ensure(0, n)
	if l := w.wantLease(p, addr(2), "after"); l.MTU != n.MTU || l.Domain != "other.example" || l.Router.IsValid() || len(l.DNS) != 0 {
		w.Errorf("lease is %+v, want MTU %d, domain other.example, no router and no resolver", l, n.MTU)
	}
	n.Gateway.Address = netip.PrefixFrom(addr(1), 25)
	dhcp.Router, dhcp.Domain = addr(5), ""
	w.ensure(0, n)
	if l := w.wantLease(p, addr(2), "in a smaller block"); l.Address.Bits() != 25 || l.Router != addr(5) || l.Domain != "" {
		w.Errorf("lease is %+v, want /25, router %s and no domain", l, addr(5))
	}
}
