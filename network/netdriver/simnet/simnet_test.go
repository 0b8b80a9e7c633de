package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/network/netdriver/netdrivertest"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	netdrivertest.TestDriver(t, func(*testing.T) netdrivertest.Lab { return newLab() })
}

// lab is netdrivertest.Lab on a fabric.
type lab struct {
	fabric *simnet.Fabric
	hosts  [2]*simnet.Driver
	taken  map[netip.Addr]string // MAC by fixed or leased address
}

func newLab() *lab {
	l := &lab{fabric: simnet.NewFabric(), taken: map[netip.Addr]string{}}
	for i := range l.hosts {
		l.hosts[i] = l.fabric.Node(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}))
	}
	return l
}

func (l *lab) Driver(host int) netdriver.Driver               { return l.hosts[host] }
func (l *lab) Reopen(_ testing.TB, host int) netdriver.Driver { return l.hosts[host] }
func (l *lab) Damages() []string                              { return []string{"bridge", "mesh", "gateway", "dhcp"} }
func (l *lab) Squat(_ testing.TB, host int, id netdriver.ID)  { l.hosts[host].Squat(id.VXLAN) }
func (l *lab) Inventory(_ testing.TB, host int) []string {
	return strings.Split(l.hosts[host].String(), "\n")
}

func (l *lab) Damage(t testing.TB, host int, id netdriver.ID, damage string) {
	t.Helper()
	h := l.hosts[host]
	breaks, ok := map[string]func(int){
		"bridge": h.BreakBridge, "mesh": h.BreakMesh, "gateway": h.BreakGateway, "dhcp": h.BreakDHCP,
	}[damage]
	if !ok {
		t.Fatalf("no damage is called %s", damage)
	}
	breaks(id.VXLAN)
}

func (l *lab) Plug(_ testing.TB, host int, n netdriver.Network, mac string) netdrivertest.Port {
	l.hosts[host].Plug(n.Bridge(), mac)
	return &port{lab: l, host: l.hosts[host], bridge: n.Bridge(), mac: mac}
}

type port struct {
	lab         *lab
	host        *simnet.Driver
	bridge, mac string
}

func (p *port) Close() { p.host.Unplug(p.bridge, p.mac) }

func (p *port) DHCP(t testing.TB) (netdrivertest.Lease, bool) {
	t.Helper()
	o, ok := p.lab.fabric.Offer(p.mac)
	if ok {
		p.Take(t, o.Address)
	}
	return netdrivertest.Lease(o), ok
}

func (p *port) Take(_ testing.TB, a netip.Prefix) { p.lab.taken[a.Addr()] = p.mac }

func (p *port) Ping(_ testing.TB, to netip.Addr, size int) bool {
	if g, ok := p.lab.fabric.Gateway(p.mac); ok && g.Addr() == to {
		return size <= p.lab.fabric.MTU(p.mac, p.mac)
	}
	return size <= p.lab.fabric.MTU(p.mac, p.lab.taken[to])
}

func ids(i int) netdriver.ID {
	return netdriver.ID{UUID: fmt.Sprintf("7f3c2a10-0000-4000-8000-%012x", i), VXLAN: i + 1}
}

func TestFailNextFailsOneCallBeforeItsEffect(t *testing.T) {
	t.Parallel()
	d := simnet.New()
	cause := fault.New("test", fault.Unavailable, "", "netlink is asleep")
	d.FailNext("Ensure", cause)
	n := netdriver.Network{ID: ids(1), MTU: 1450}
	if err := d.Ensure(t.Context(), n); !errors.Is(err, cause) || fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("got %v, want %v", err, cause)
	}
	if _, there := d.Network(n.UUID); there || d.Changes() != 0 {
		t.Fatal("the failed call had an effect")
	}
	if err := d.Ensure(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func TestACancelledCallIsGivenUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := simnet.New().Ensure(ctx, netdriver.Network{ID: ids(1), MTU: 1450}); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("got %v, want fault.Unavailable", err)
	}
}

func TestANodeAloneHasNoPeers(t *testing.T) {
	t.Parallel()
	d := simnet.New()
	n := netdriver.Network{ID: ids(1), MTU: 1450, Peers: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
	if err := d.Ensure(t.Context(), n); !errors.Is(err, fault.Invalid) {
		t.Fatalf("got %v, want fault.Invalid", err)
	}
}

func TestANodeKeepsNothingOfTheCaller(t *testing.T) {
	t.Parallel()
	d := simnet.New()
	n := netdriver.Network{ID: ids(1), MTU: 1450, Gateway: &netdriver.Gateway{
		Address: netip.MustParsePrefix("10.0.0.1/24"),
		DHCP:    &netdriver.DHCP{Hosts: []netdriver.Host{{MAC: "02:00:00:00:00:01", Address: netip.MustParseAddr("10.0.0.2")}}},
	}}
	if err := d.Ensure(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	d.Plug(n.Bridge(), "02:00:00:00:00:01")
	n.Gateway.DHCP.Hosts[0].Address = netip.MustParseAddr("10.0.0.3")
	if got, _ := d.Fabric().Lease("02:00:00:00:00:01"); got != netip.MustParseAddr("10.0.0.2") {
		t.Fatalf("lease is %s: the driver shares memory with its caller", got)
	}
}

func TestTenThousandNetworksAreCheap(t *testing.T) {
	t.Parallel()
	d := simnet.New()
	start := time.Now()
	for range 2 {
		for i := range 10_000 {
			if err := d.Ensure(t.Context(), netdriver.Network{ID: ids(i), MTU: 1450}); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := d.List(t.Context())
	if err != nil || len(got) != 10_000 || d.Changes() != 10_000 {
		t.Fatalf("%d networks after %d changes, %v", len(got), d.Changes(), err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func Example() {
	fabric := simnet.NewFabric()
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	id := netdriver.ID{UUID: "0b4c7e52-5d3e-4a8f-9a06-0d8c1b6f1e01", VXLAN: 77}
	ctx := context.Background()

	_ = fabric.Node(a).Ensure(ctx, netdriver.Network{ID: id, MTU: 1450, Peers: []netip.Addr{b}})
	fabric.Node(a).Plug(id.Bridge(), "02:00:00:00:00:0a")
	fabric.Node(b).Plug(id.Bridge(), "02:00:00:00:00:0b")
	fmt.Println(fabric.Reach("02:00:00:00:00:0a", "02:00:00:00:00:0b"))

	_ = fabric.Node(b).Ensure(ctx, netdriver.Network{ID: id, MTU: 1450, Peers: []netip.Addr{a}})
	fmt.Println(fabric.Reach("02:00:00:00:00:0a", "02:00:00:00:00:0b"))
	// Output:
	// false
	// true
}
