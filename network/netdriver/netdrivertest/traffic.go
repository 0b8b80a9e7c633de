package netdrivertest

import (
	"sync"
	"sync/atomic"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

func pingsGateway(w *world) {
	n := w.gateway(1, 2)
	w.ensure(0, n)
	p := w.at(0, n, 2)
	w.wantPing(p, addr(1), small, "the gateway")
	w.wantNoPing(p, addr(99), small, "an address that nobody has")
}

func reachesAcrossMesh(w *world) {
	near, far := w.gateway(1), w.plain(1)
	w.ensure(0, near)
	w.ensure(1, far)
	a, b := w.at(0, near, 2), w.at(1, far, 3)
	w.wantPing(a, addr(3), small, "across the mesh")
	w.wantPing(b, addr(2), small, "back across the mesh")
	w.wantPing(b, addr(1), small, "the gateway on the other host")

	near.Peers = nil
	w.ensure(0, near)
	w.wantNoPing(a, addr(3), small, "after the peer was removed")
	near.Peers = w.gateway(1).Peers
	w.ensure(0, near)
	w.wantPing(a, addr(3), small, "after the peer came back")
}

func isolates(w *world) {
	one, two := w.gateway(1), w.gateway(2)
	two.Gateway = nil
	for host, n := range []netdriver.Network{one, w.plain(1)} {
		w.ensure(host, n)
	}
	for host, n := range []netdriver.Network{two, w.plain(2)} {
		w.ensure(host, n)
	}
	a, b, c := w.at(0, one, 2), w.at(0, two, 3), w.at(1, two, 4)
	w.wantNoPing(a, addr(3), small, "a port of another network on the same host")
	w.wantNoPing(a, addr(4), small, "a port of another network on another host")
	w.wantNoPing(b, addr(1), small, "the gateway of another network")
	w.wantNoPing(c, addr(1), small, "the gateway of another network on another host")
	w.wantPing(b, addr(4), small, "a port of the same network")
}

func carriesMTU(w *world) {
	near, far := w.gateway(1), w.plain(1)
	w.ensure(0, near)
	w.ensure(1, far)
	a, b := w.at(0, near, 2), w.at(1, far, 3)
	w.wantPing(a, addr(3), w.mtu, "a full packet across the mesh")
	w.wantPing(b, addr(1), w.mtu, "a full packet to the gateway")
	w.wantNoPing(a, addr(3), w.mtu+1, "a packet that is too large")

	near.MTU, far.MTU = w.mtu-100, w.mtu-100
	w.ensure(0, near)
	w.ensure(1, far)
	c := w.at(0, near, 4) // with the new MTU
	w.wantPing(c, addr(1), near.MTU, "a full packet after the MTU was lowered")
	w.wantNoPing(c, addr(1), near.MTU+1, "a packet that is too large after the MTU was lowered")
}

func dropsGateway(w *world) {
	n := w.gateway(1, 2)
	bare := n
	bare.Gateway = nil
	w.ensure(0, bare)
	before := w.Inventory(w.TB, 0)
	w.ensure(0, n)
	p := w.plug(0, n, mac(2))
	w.wantLease(p, addr(2), "with a gateway")
	w.wantPing(p, addr(1), small, "with a gateway")
	w.ensure(0, bare)
	w.wantSame(0, before, "after the gateway was dropped")
	w.wantNoPing(p, addr(1), small, "without a gateway")
	w.wantNoLease(p, "without a gateway")
}

func movesGateway(w *world) {
	n, far := w.gateway(1, 2), w.plain(1)
	w.ensure(0, n)
	w.ensure(1, far)
	p := w.plug(1, far, mac(2))
	w.wantLease(p, addr(2), "from the first gateway")
	w.wantPing(p, addr(1), small, "the first gateway")

	n.Gateway, far.Gateway = nil, n.Gateway
	w.ensure(0, n)
	w.ensure(1, far)
	w.wantPing(p, addr(1), small, "the gateway after it moved")
	w.wantLease(p, addr(2), "from the gateway after it moved")
}

func takesOver(w *world) {
	near, far := w.gateway(1, 2), w.plain(1)
	w.ensure(0, near)
	w.ensure(1, far)
	p := w.at(1, far, 3)
	w.wantPing(p, addr(1), small, "before")

	var done atomic.Bool
	var sent, lost int
	var wg sync.WaitGroup
	wg.Go(func() {
		for sent == 0 || !done.Load() {
			sent++
			if !p.Ping(w.TB, addr(1), small) {
				lost++
			}
		}
	})
	for range 5 {
		for host, n := range []netdriver.Network{near, far} {
			w.Reopen(w.TB, host)
			w.ensure(host, n)
		}
	}
	near.Gateway.DHCP.Hosts = w.gateway(1, 2, 4).Gateway.DHCP.Hosts
	w.ensure(0, near)
	done.Store(true)
	wg.Wait()
	if lost > 0 || sent == 0 {
		w.Errorf("%d of %d pings were lost", lost, sent)
	}
}
