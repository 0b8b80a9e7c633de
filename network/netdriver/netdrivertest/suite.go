package netdrivertest

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// TestDriver checks that the drivers of the labs that open returns keep the contract. Each check gets a lab
// of its own, and runs beside the others.
//
//nolint:tparallel // whether the whole suite runs beside other tests is its caller's choice
func TestDriver(t *testing.T, open func(t *testing.T) Lab) {
	for _, c := range []struct {
		promise string
		check   func(w *world)
	}{
		{"what makes no sense is refused and changes nothing", refuses},
		{"ensure twice changes nothing", ensureTwice},
		{"a port pings the gateway", pingsGateway},
		{"two ports of one network on two hosts reach each other until the peer is removed", reachesAcrossMesh},
		{"two networks with the same block do not see each other", isolates},
		{"a full-size packet crosses every hop and a larger one does not", carriesMTU},
		{"a known MAC gets its lease and an unknown one gets none", leases},
		{"no host name confuses the DHCP server", hostNames},
		{"a DHCP host that is removed gets no lease any more", removesHost},
		{"an address that moved to another MAC is leased to it at once", movesAddress},
		{"changed DHCP options are offered at once", changesOptions},
		{"a gateway that is not wanted any more goes and the bridge stays", dropsGateway},
		{"a gateway moves to another host and keeps its neighbours", movesGateway},
		{"what was broken by hand is mended", mends},
		{"remove leaves nothing and can be repeated", removes},
		{"list finds what an earlier driver left", lists},
		{"what is not ours is a conflict and stays untouched", respectsOthers},
		{"traffic continues while a new driver takes over", takesOver},
		{"calls at the same time do not disturb each other", concurrent},
	} {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			c.check(newWorld(t, open(t)))
		})
	}
}

func refuses(w *world) {
	before := w.Inventory(w.TB, 0)
	for why, spoil := range map[string]func(n *netdriver.Network){
		"an MTU that the host cannot carry": func(n *netdriver.Network) { n.MTU = 1 << 17 },
		"no UUID":                           func(n *netdriver.Network) { n.UUID = "../x" },
		"the node as its own peer":          func(n *netdriver.Network) { n.Peers[0] = w.mesh[0] },
		"a host name with a line break":     func(n *netdriver.Network) { n.Gateway.DHCP.Hosts[0].Name = "a\nb" },
	} {
		n := w.gateway(1, 2)
		spoil(&n)
		if err := w.Driver(0).Ensure(w.Context(), n); !errors.Is(err, fault.Invalid) {
			w.Errorf("%s: got %v, want fault.Invalid", why, err)
		}
	}
	if err := w.Driver(0).Remove(w.Context(), netdriver.ID{UUID: "..", VXLAN: 1}); !errors.Is(err, fault.Invalid) {
		w.Errorf("Remove of no UUID: got %v, want fault.Invalid", err)
	}
	w.wantSame(0, before, "only refusals")
}

func ensureTwice(w *world) {
	n := w.gateway(1, 2, 3)
	w.ensure(0, n)
	before := w.Inventory(w.TB, 0)
	w.ensure(0, n)
	w.wantSame(0, before, "the second Ensure")
	w.Reopen(w.TB, 0)
	w.ensure(0, n)
	w.wantSame(0, before, "Ensure by a new driver")
}

func removes(w *world) {
	before := w.Inventory(w.TB, 0)
	n, other := w.gateway(1, 2), w.gateway(2, 3)
	w.ensure(0, n)
	w.ensure(0, other)
	w.remove(0, n.ID)
	w.wantList(0, other.ID)
	p := w.plug(0, other, mac(3))
	w.wantLease(p, addr(3), "the network that stays")
	p.Close()
	w.remove(0, other.ID)
	w.wantSame(0, before, "after Remove")
	w.remove(0, n.ID)
	w.wantSame(0, before, "after another Remove")

	w.ensure(0, n)
	w.ensure(1, w.plain(1))
	here := w.Inventory(w.TB, 0)
	w.remove(1, n.ID)
	w.wantList(1)
	w.wantSame(0, here, "Remove on the other host")
	w.remove(0, n.ID)
	w.wantSame(0, before, "after a second life")
}

func lists(w *world) {
	w.wantList(0)
	w.ensure(0, w.gateway(1, 2))
	w.ensure(0, netdriver.Network{ID: id(3), MTU: w.mtu})
	before, there := w.Inventory(w.TB, 0), w.Inventory(w.TB, 1)
	for _, damage := range w.Damages() {
		w.ensure(0, w.gateway(2, 2))
		w.wantList(0, id(1), id(2), id(3))
		w.Damage(w.TB, 0, id(2), damage)
		w.Reopen(w.TB, 0)
		w.wantList(0, id(1), id(2), id(3))
		w.remove(0, id(2))
		w.wantSame(0, before, "Remove after "+damage)
	}
	w.wantList(0, id(1), id(3))
	w.wantSame(1, there, "damages and repairs on the other host")
}

func mends(w *world) {
	n := w.gateway(1, 2)
	w.ensure(0, n)
	w.ensure(1, w.plain(1))
	shape := shapeOf(w.Inventory(w.TB, 0))
	for _, damage := range w.Damages() {
		w.Damage(w.TB, 0, n.ID, damage)
		w.ensure(0, n)
		after := w.Inventory(w.TB, 0)
		if diff := cmp.Diff(shape, shapeOf(after)); diff != "" {
			w.Errorf("Ensure after %s left another host than before (-before +after):\n%s", damage, diff)
		}
		w.ensure(0, n)
		w.wantSame(0, after, "the second Ensure after "+damage)

		far := w.plug(1, w.plain(1), mac(2))
		w.wantLease(far, addr(2), "after "+damage)
		w.wantPing(far, addr(1), w.mtu, "after "+damage)
		far.Close()
	}
}

func respectsOthers(w *world) {
	n := w.gateway(1, 2)
	w.Squat(w.TB, 0, n.ID)
	before := w.Inventory(w.TB, 0)
	if err := w.Driver(0).Ensure(w.Context(), n); !errors.Is(err, fault.Conflict) {
		w.Errorf("Ensure: got %v, want fault.Conflict", err)
	}
	w.wantSame(0, before, "Ensure that met a conflict")
	w.remove(0, n.ID)
	w.wantSame(0, before, "Remove beside something foreign")
	w.wantList(0)

	mine, thief := w.gateway(2, 2), w.gateway(3, 2)
	thief.VXLAN = mine.VXLAN
	w.ensure(0, mine)
	before = w.Inventory(w.TB, 0)
	if err := w.Driver(0).Ensure(w.Context(), thief); !errors.Is(err, fault.Conflict) {
		w.Errorf("Ensure with the VXLAN id of another network: got %v, want fault.Conflict", err)
	}
	w.remove(0, thief.ID)
	w.wantSame(0, before, "an attempt with the VXLAN id of another network")
}

func concurrent(w *world) {
	before := w.Inventory(w.TB, 0)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			n := w.gateway(i/2, 2) // two at a time on the same network
			for range 2 {
				if err := w.Driver(0).Ensure(w.Context(), n); err != nil {
					w.Errorf("Ensure: %v", err)
				}
				if _, err := w.Driver(0).List(w.Context()); err != nil {
					w.Errorf("List: %v", err)
				}
			}
		})
	}
	wg.Wait()
	w.wantList(0, id(0), id(1), id(2), id(3), id(4), id(5))
	p := w.plug(0, w.gateway(3, 2), mac(2))
	w.wantLease(p, addr(2), "after calls at the same time")
	p.Close()
	for i := range 12 {
		wg.Go(func() {
			if err := w.Driver(0).Remove(w.Context(), id(i/2)); err != nil {
				w.Errorf("Remove: %v", err)
			}
		})
	}
	wg.Wait()
	w.wantSame(0, before, "after Ensures and Removes at the same time")
}
