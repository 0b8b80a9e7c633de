//go:build linux

package netlinknet

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/hostdiff"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// network returns network i with a gateway, and a DHCP host for each guest: the address and the MAC of that number.
func network(i int, guests ...int) netdriver.Network {
	dhcp := &netdriver.DHCP{Domain: "tenant.example", Router: netip.MustParseAddr("10.7.0.1")}
	for _, g := range guests {
		dhcp.Hosts = append(dhcp.Hosts, netdriver.Host{MAC: guestMAC(g), Address: guestAddress(g)})
	}
	return netdriver.Network{
		ID:      netdriver.ID{UUID: fmt.Sprintf("7f3c2a10-0000-4000-8000-%012x", i), VXLAN: 0x5f000 + i},
		MTU:     1400,
		Gateway: &netdriver.Gateway{Address: netip.MustParsePrefix("10.7.0.1/24"), DHCP: dhcp},
	}
}

func guestMAC(g int) string         { return fmt.Sprintf("02:00:00:00:00:%02x", g) }
func guestAddress(g int) netip.Addr { return netip.AddrFrom4([4]byte{10, 7, 0, byte(g)}) }

// joined is network i with a peer.
func joined(i int, guests ...int) netdriver.Network {
	n := network(i, guests...)
	n.Peers = []netip.Addr{netip.MustParseAddr("10.90.0.2")}
	return n
}

// newHost returns one host with a mesh interface.
func newHost(t testing.TB) *machine {
	t.Helper()
	return newMachine(t, pretendhost.Options{Address: netip.MustParsePrefix("10.90.0.1/24")}, "eth0")
}

func (m *machine) ensure(t testing.TB, n netdriver.Network) {
	t.Helper()
	if err := m.driver().Ensure(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) remove(t testing.TB, n netdriver.Network) {
	t.Helper()
	if err := m.driver().Remove(t.Context(), n.ID); err != nil {
		t.Fatal(err)
	}
}

// wantSame fails if the inventory is not what it was.
func (m *machine) wantSame(t testing.TB, before []string, why string) {
	t.Helper()
	if diff := cmp.Diff(before, m.inventory(t)); diff != "" {
		t.Fatalf("%s: the host changed (-before +after):\n%s", why, diff)
	}
}

// lease asks for a lease as the guest and reports whether it got its own address.
func (m *machine) lease(t testing.TB, n netdriver.Network, guest int) bool {
	t.Helper()
	p := &port{guests: m.guests}
	p.guests.must(t, "Guests.Plug", PlugArgs{n.Bridge(), guestMAC(guest), n.MTU}, &p.number)
	defer p.Close()
	l, ok := p.DHCP(t)
	return ok && l.Address.Addr() == guestAddress(guest)
}

func TestRemoveLeavesNothingOnTheWholeHost(t *testing.T) {
	t.Parallel()
	m := newHost(t)
	m.ensure(t, joined(1, 2)) // the first namespace makes /run/netns a mount, for good, as iproute2 does
	m.remove(t, joined(1, 2))
	o := hostdiff.Options{Command: m.Command, PID: m.PID, OwnOnly: true, Dirs: []string{m.settings.StateDir}}
	before, err := hostdiff.Take(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	n := joined(2, 2)
	m.ensure(t, n)
	if !m.lease(t, n, 2) {
		t.Error("no lease")
	}
	m.remove(t, n)
	changes, err := hostdiff.Settle(t.Context(), before, o, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		t.Error(c)
	}
}

func TestANodeWithoutADefaultRouteIsAlone(t *testing.T) {
	t.Parallel()
	m := newMachine(t, pretendhost.Options{}, "")
	info, err := m.driver().Info(t.Context())
	if err != nil || info != (netdriver.Info{MTU: 1450}) {
		t.Fatalf("info is %+v, %v; want MTU 1450 and no mesh", info, err)
	}
	before := m.inventory(t)
	n := network(1, 2)
	m.ensure(t, n)
	if strings.Contains(strings.Join(m.inventory(t), "\n"), " vxlan ") {
		t.Error("there is a VXLAN link without a mesh")
	}
	if !m.lease(t, n, 2) {
		t.Error("no lease on a node that is alone")
	}
	if err := m.driver().Ensure(t.Context(), joined(1, 2)); !errors.Is(err, fault.Invalid) {
		t.Errorf("with peers: got %v, want fault.Invalid", err)
	}
	m.remove(t, n)
	m.wantSame(t, before, "after Remove")
}

func TestTheMeshIsTheDefaultRoutesInterface(t *testing.T) {
	t.Parallel()
	m := newMachine(t, pretendhost.Options{Address: netip.MustParsePrefix("10.90.0.1/24")}, "lo")
	m.ip(t, "route", "add", "default", "via", "10.90.0.254")
	m.settings.MeshNIC = ""
	m.open(t)
	want := netdriver.Info{MTU: 1450, MeshNIC: "eth0", MeshIP: netip.MustParseAddr("10.90.0.1")}
	if info, err := m.driver().Info(t.Context()); err != nil || info != want {
		t.Fatalf("info is %+v, %v; want %+v", info, err, want)
	}
}

func TestTheMeshFollowsItsInterface(t *testing.T) {
	t.Parallel()
	m := newHost(t)
	n := joined(1)
	m.ensure(t, n)
	m.ip(t, "address", "add", "10.90.0.7/24", "dev", "eth0")
	before := m.inventory(t)
	m.ensure(t, n)
	m.wantSame(t, before, "another address beside the one in use")
	m.ip(t, "address", "flush", "dev", "eth0")
	if err := m.driver().Ensure(t.Context(), n); !errors.Is(err, fault.Invalid) {
		t.Fatalf("without an address: got %v, want fault.Invalid", err)
	}
	m.ip(t, "address", "add", "10.90.0.7/24", "dev", "eth0")
	m.ensure(t, n)
	if all := strings.Join(m.inventory(t), "\n"); !strings.Contains(all, "local 10.90.0.7") || strings.Contains(all, "local 10.90.0.1 ") {
		t.Errorf("the VXLAN link did not take the new address:\n%s", all)
	}
	m.ip(t, "link", "set", "eth0", "mtu", "1400")
	if err := m.driver().Ensure(t.Context(), n); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "1350") {
		t.Fatalf("a mesh too small: got %v, want fault.Invalid that names 1350", err)
	}
}

func TestWhatHasOurNameWithoutOurMarkIsAConflict(t *testing.T) {
	t.Parallel()
	n := joined(1, 2)
	for what, c := range map[string]struct{ put, take []string }{
		"a VXLAN link of others": {
			[]string{"ip", "link", "add", n.Link(), "type", "vxlan", "id", "9", "dev", "eth0", "dstport", "4790"},
			[]string{"ip", "link", "del", n.Link()},
		},
		"a link of another type": {
			[]string{"ip", "link", "add", n.Link(), "type", "bridge"}, []string{"ip", "link", "del", n.Link()},
		},
		"a veth of others": {
			[]string{"ip", "link", "add", n.Veth("o"), "type", "veth", "peer", "name", "other"}, []string{"ip", "link", "del", "other"},
		},
		"a namespace of others": {[]string{"ip", "netns", "add", n.UUID}, []string{"ip", "netns", "del", n.UUID}},
		"a file as a namespace": {[]string{"touch", spacePath(n.ID)}, []string{"rm", spacePath(n.ID)}},
		"a bridge of other cloud": {
			[]string{"ip", "link", "add", n.Bridge(), "type", "bridge"}, []string{"ip", "link", "del", n.Bridge()},
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := newHost(t)
			m.ensure(t, n)
			m.remove(t, n)
			run := func(args []string) {
				t.Helper()
				if _, err := m.Run(t.Context(), args[0], args[1:]...); err != nil {
					t.Fatal(err)
				}
			}
			clean := m.inventory(t)
			run(c.put)
			before := m.inventory(t)
			err := m.driver().Ensure(t.Context(), n)
			if !errors.Is(err, fault.Conflict) {
				t.Fatalf("got %v, want fault.Conflict", err)
			}
			t.Log(err)
			m.remove(t, n)
			m.wantSame(t, before, "after Ensure and Remove")
			run(c.take)
			m.wantSame(t, clean, "without the squatter")
		})
	}
}

func TestAnotherCloudOnTheSameMachineIsNotSeen(t *testing.T) {
	t.Parallel()
	m := newHost(t)
	m.ensure(t, joined(1, 2))
	before := m.inventory(t)
	m.settings.Owner = "tes" // a prefix of the other's
	m.settings.StateDir += "2"
	m.open(t)
	if ids, err := m.driver().List(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("lists %v, %v; want nothing", ids, err)
	}
	if err := m.driver().Ensure(t.Context(), joined(1, 2)); !errors.Is(err, fault.Conflict) {
		t.Errorf("got %v, want fault.Conflict", err)
	}
	m.remove(t, joined(1, 2))
	m.settings.StateDir = strings.TrimSuffix(m.settings.StateDir, "2")
	m.wantSame(t, before, "after another cloud's calls")
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	m := newHost(t)
	closed := filepath.Join(m.Dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		settings Settings
		says     string
	}{
		"an owner with a blank":              {Settings{StateDir: m.settings.StateDir, Owner: "a b"}, "owner"},
		"a relative state directory":         {Settings{StateDir: "state", Owner: "a"}, "absolute"},
		"a state directory closed to others": {Settings{StateDir: filepath.Join(closed, "x"), Owner: "a"}, "chmod o+x " + closed},
		"a mesh interface that is not there": {Settings{StateDir: m.settings.StateDir, Owner: "a", MeshNIC: "eth7"}, "eth7"},
	} {
		var f Failure
		m.daemon.must(t, "Daemon.Open", c.settings, &f)
		if err := f.err(); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want fault.Invalid that says %q", what, err, c.says)
		}
	}
}

func TestAMissingDNSMasqIsNamed(t *testing.T) {
	t.Parallel()
	m := newHost(t)
	m.settings.DNSMasq = "/nonexistent/dnsmasq"
	m.open(t)
	before := m.inventory(t)
	if err := m.driver().Ensure(t.Context(), joined(1, 2)); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "apt-get install") {
		t.Errorf("got %v, want fault.Invalid that says what to install", err)
	}
	bare := joined(1)
	bare.Gateway.DHCP = nil
	m.ensure(t, bare)
	m.remove(t, bare)
	m.wantSame(t, before, "after Remove")
}

// TestMoreNetworksThanInotifyInstances has more DHCP servers than a user may have inotify instances on most machines.
func TestMoreNetworksThanInotifyInstances(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds; run without -short")
	}
	const count = 140
	m := newHost(t)
	before := m.inventory(t)
	for i := range count {
		m.ensure(t, network(i, 2))
	}
	last := network(count-1, 2, 3)
	m.ensure(t, last)
	if !m.lease(t, last, 3) {
		t.Error("the last network's DHCP server does not serve a host that was added")
	}
	ids, err := m.driver().List(t.Context())
	if err != nil || len(ids) != count {
		t.Errorf("lists %d networks, %v; want %d", len(ids), err, count)
	}
	for i := range count {
		m.remove(t, network(i))
	}
	m.wantSame(t, before, "after Remove of all")
}
