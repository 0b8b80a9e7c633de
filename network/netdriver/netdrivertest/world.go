package netdrivertest

import (
	"net/netip"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

// world is a lab with what the checks ask of it again and again.
type world struct {
	testing.TB
	Lab
	mesh [2]netip.Addr
	mtu  int // that both hosts carry
}

func newWorld(t testing.TB, lab Lab) *world {
	t.Helper()
	w := &world{TB: t, Lab: lab, mtu: 1 << 16}
	for host := range w.mesh {
		info, err := lab.Driver(host).Info(t.Context())
		if err != nil {
			t.Fatalf("Info of host %d: %v", host, err)
		}
		if !info.MeshIP.Is4() || info.MeshNIC == "" {
			t.Fatalf("host %d has no mesh: %+v", host, info)
		}
		w.mesh[host], w.mtu = info.MeshIP, min(w.mtu, info.MTU)
	}
	return w
}

// gateway returns what network i is on host 0, where its gateway is: the router is address 1, and each guest g (2 and up)
// has the address and the MAC of that number.
func (w *world) gateway(i int, guests ...uint8) netdriver.Network {
	dhcp := &netdriver.DHCP{Domain: "tenant.example", DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53")}, Router: addr(1)}
	for _, g := range guests {
		dhcp.Hosts = append(dhcp.Hosts, netdriver.Host{MAC: mac(g), Address: addr(g)})
	}
	return netdriver.Network{
		ID: id(i), MTU: w.mtu, Peers: []netip.Addr{w.mesh[1]},
		Gateway: &netdriver.Gateway{Address: netip.PrefixFrom(addr(1), 24), DHCP: dhcp},
	}
}

// plain returns what network i is on host 1, which has no gateway.
func (w *world) plain(i int) netdriver.Network {
	return netdriver.Network{ID: id(i), MTU: w.mtu, Peers: []netip.Addr{w.mesh[0]}}
}

func (w *world) ensure(host int, n netdriver.Network) {
	w.Helper()
	if err := w.Driver(host).Ensure(w.Context(), n); err != nil {
		w.Fatalf("Ensure on host %d: %v", host, err)
	}
}

func (w *world) remove(host int, id netdriver.ID) {
	w.Helper()
	if err := w.Driver(host).Remove(w.Context(), id); err != nil {
		w.Fatalf("Remove on host %d: %v", host, err)
	}
}

// plug plugs a NIC in until the test ends.
func (w *world) plug(host int, n netdriver.Network, mac string) Port {
	w.Helper()
	p := w.Plug(w.TB, host, n, mac)
	w.Cleanup(p.Close)
	return p
}

// at plugs in the NIC of guest g with its address.
func (w *world) at(host int, n netdriver.Network, g uint8) Port {
	w.Helper()
	p := w.plug(host, n, mac(g))
	p.Take(w.TB, netip.PrefixFrom(addr(g), 24))
	return p
}

func (w *world) wantPing(p Port, to netip.Addr, size int, why string) {
	w.Helper()
	for range 4 { // the first frames may find ARP or a bridge port not ready yet
		if p.Ping(w.TB, to, size) {
			return
		}
	}
	w.Errorf("%s: no answer from %s to %d bytes", why, to, size)
}

func (w *world) wantNoPing(p Port, to netip.Addr, size int, why string) {
	w.Helper()
	if p.Ping(w.TB, to, size) {
		w.Errorf("%s: %s answered %d bytes", why, to, size)
	}
}

func (w *world) wantLease(p Port, want netip.Addr, why string) Lease {
	w.Helper()
	l, ok := p.DHCP(w.TB)
	if !ok {
		w.Errorf("%s: no lease, want %s", why, want)
	} else if l.Address.Addr() != want {
		w.Errorf("%s: lease of %s, want %s", why, l.Address, want)
	}
	return l
}

func (w *world) wantNoLease(p Port, why string) {
	w.Helper()
	if l, ok := p.DHCP(w.TB); ok {
		w.Errorf("%s: got a lease of %s", why, l.Address)
	}
}

func (w *world) wantList(host int, want ...netdriver.ID) {
	w.Helper()
	got, err := w.Driver(host).List(w.Context())
	if err != nil {
		w.Fatalf("List of host %d: %v", host, err)
	}
	if !slices.Equal(got, want) {
		w.Errorf("host %d lists %v, want %v", host, got, want)
	}
}

// wantSame fails if the inventory of the host is not what it was.
func (w *world) wantSame(host int, before []string, why string) {
	w.Helper()
	if diff := cmp.Diff(before, w.Inventory(w.TB, host)); diff != "" {
		w.Errorf("%s: host %d changed (-before +after):\n%s", why, host, diff)
	}
}

var identity = regexp.MustCompile("#[0-9]+")

// shapeOf returns an inventory without its identities.
func shapeOf(inventory []string) []string {
	shape := make([]string, len(inventory))
	for i, line := range inventory {
		shape[i] = identity.ReplaceAllString(line, "#")
	}
	slices.Sort(shape)
	return shape
}
