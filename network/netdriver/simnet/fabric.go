package simnet

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

// Fabric is what joins simulated nodes: a mesh on which every node could reach every other.
type Fabric struct {
	mu    sync.Mutex
	nodes map[netip.Addr]*Driver // by mesh address; guarded by mu
	ports map[string][]port      // by MAC; guarded by mu
}

// port is where a guest is plugged in.
type port struct {
	node   *Driver
	bridge string
}

// NewFabric returns a fabric without nodes.
func NewFabric() *Fabric {
	return &Fabric{nodes: map[netip.Addr]*Driver{}, ports: map[string][]port{}}
}

// Node returns the driver of the node with that mesh address: always the same one for the same address. The zero Addr
// makes a new node every time, which is alone.
func (f *Fabric) Node(mesh netip.Addr) *Driver {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d, ok := f.nodes[mesh]; ok {
		return d
	}
	d := &Driver{
		fabric: f, mesh: mesh,
		networks: map[string]*segment{}, vxlans: map[int]string{}, failures: map[string][]error{},
	}
	if mesh.IsValid() {
		f.nodes[mesh] = d
	}
	return d
}

// Plug joins the NIC of a guest on this node to a bridge, as starting a guest does. The bridge need not exist yet.
func (d *Driver) Plug(bridge, mac string) {
	d.fabric.mu.Lock()
	defer d.fabric.mu.Unlock()
	p := port{d, bridge}
	if !slices.Contains(d.fabric.ports[mac], p) {
		d.fabric.ports[mac] = append(d.fabric.ports[mac], p)
	}
}

// Unplug takes the NIC off the bridge, as stopping a guest does.
func (d *Driver) Unplug(bridge, mac string) {
	d.fabric.mu.Lock()
	defer d.fabric.mu.Unlock()
	left := slices.DeleteFunc(d.fabric.ports[mac], func(p port) bool { return p == port{d, bridge} })
	if len(left) == 0 {
		delete(d.fabric.ports, mac)
		return
	}
	d.fabric.ports[mac] = left
}

// Reach reports whether frames from the one NIC get to the other: both are plugged in, into whole networks of the same
// VXLAN id, on the same node or on nodes that know each other as peers.
func (f *Fabric) Reach(fromMAC, toMAC string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, from := range f.ports[fromMAC] {
		for _, to := range f.ports[toMAC] {
			if from.bridge == to.bridge && joined(from.segment(), from.node, to.segment(), to.node) {
				return true
			}
		}
	}
	return false
}

// Offer is what DHCP gives a guest.
type Offer struct {
	Address netip.Prefix
	Router  netip.Addr   // the zero Addr for none
	DNS     []netip.Addr // resolvers
	Domain  string
	Name    string // host name; "" for none
	MTU     int    // bytes
}

// Offer returns what DHCP would give the NIC, and whether it would give it anything.
func (f *Fabric) Offer(mac string) (Offer, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.ports[mac] {
		g := f.gateway(p)
		if g == nil || g.Gateway.DHCP == nil || g.broken["dhcp"] {
			continue
		}
		dhcp := g.Gateway.DHCP
		for _, h := range dhcp.Hosts {
			if h.MAC == mac {
				return Offer{
					Address: netip.PrefixFrom(h.Address, g.Gateway.Address.Bits()), Router: dhcp.Router,
					DNS: slices.Clone(dhcp.DNS), Domain: dhcp.Domain, Name: h.Name, MTU: g.MTU,
				}, true
			}
		}
	}
	return Offer{}, false
}

// Lease returns the address that DHCP would give the NIC, and whether it would give it one.
func (f *Fabric) Lease(mac string) (netip.Addr, bool) {
	o, ok := f.Offer(mac)
	return o.Address.Addr(), ok
}

// Gateway returns the router's address that the NIC can reach in its network, and whether there is one.
func (f *Fabric) Gateway(mac string) (netip.Prefix, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.ports[mac] {
		if g := f.gateway(p); g != nil {
			return g.Gateway.Address, true
		}
	}
	return netip.Prefix{}, false
}

// MTU returns the size of the largest packet, in bytes, that gets through between the two NICs; 0 if none does.
func (f *Fabric) MTU(fromMAC, toMAC string) int {
	if !f.Reach(fromMAC, toMAC) {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	smallest := 0
	for _, p := range slices.Concat(f.ports[fromMAC], f.ports[toMAC]) {
		if s := p.segment(); s != nil && (smallest == 0 || s.MTU < smallest) {
			smallest = s.MTU
		}
	}
	return smallest
}

// gateway returns the network as it is where its gateway is, if that can be reached from p; nil otherwise. The caller
// holds mu.
func (f *Fabric) gateway(p port) *segment {
	here := p.segment()
	if here == nil {
		return nil
	}
	whole := func(s *segment, d *Driver) bool {
		return s != nil && s.Gateway != nil && !s.broken["gateway"] && joined(here, p.node, s, d)
	}
	if whole(here, p.node) {
		return here
	}
	for _, mesh := range here.Peers {
		if d, ok := f.nodes[mesh]; ok {
			if s := (port{d, p.bridge}).segment(); whole(s, d) {
				return s
			}
		}
	}
	return nil
}

// segment returns the network whose bridge p is plugged into; nil if there is none. The caller holds mu.
func (p port) segment() *segment {
	vxlan, ok := netdriver.ParseBridge(p.bridge)
	if !ok {
		return nil
	}
	return p.node.networks[p.node.vxlans[vxlan]]
}

// joined reports whether the network at is on node a and the one on node b are one. The caller holds mu.
func joined(at *segment, a *Driver, bt *segment, b *Driver) bool {
	if at == nil || bt == nil || at.broken["bridge"] || bt.broken["bridge"] {
		return false
	}
	if a == b {
		return true
	}
	return !at.broken["mesh"] && !bt.broken["mesh"] && slices.Contains(at.Peers, b.mesh) && slices.Contains(bt.Peers, a.mesh)
}
