//go:build linux

package netlinknet

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

// ensureVXLAN makes the network's VXLAN link a port of the bridge with that index, and its peers exactly those of n. A
// node that is alone has no such link.
func (d *Driver) ensureVXLAN(ctx context.Context, n netdriver.Network, m mesh, bridge int) error {
	name := n.Link()
	l, unmarked, err := d.owned(n.ID, name, "vxlan")
	if err != nil {
		return err
	}
	if l != nil && !fits(l, n.ID, m) { // none of this can be changed while the link is there
		if err := d.deleteLink(ctx, n.ID, name, "vxlan"); err != nil {
			return err
		}
		l = nil
	}
	if m.name == "" {
		return nil
	}
	if l == nil {
		if err := d.addVXLAN(ctx, n, m); err != nil {
			return err
		}
	}
	if l == nil || unmarked {
		if err := d.setMark(ctx, n.ID, d.host.space, name); err != nil {
			return err
		}
		if l, err = d.host.LinkByName(name); err != nil {
			return d.failed("look at", name, err)
		}
	}
	if err := d.ensurePeers(ctx, n, l); err != nil {
		return err
	}
	return d.shape(ctx, n.ID, d.host.space, l, want{mtu: n.MTU, master: bridge, settings: []string{noIPv6(name)}})
}

// fits reports whether the VXLAN link is the one that the network needs on this mesh.
func fits(l netlink.Link, id netdriver.ID, m mesh) bool {
	v, ok := l.(*netlink.Vxlan)
	return ok && v.VxlanId == id.VXLAN && v.VtepDevIndex == m.index && v.Port == vxlanPort && !v.Learning &&
		v.SrcAddr.Equal(m.ip.AsSlice()) && m.name != ""
}

// addVXLAN makes the VXLAN link, unmarked and down. It is bound to the mesh interface and its address, so that several
// clouds on one machine can each have their own.
func (d *Driver) addVXLAN(ctx context.Context, n netdriver.Network, m mesh) error {
	a := netlink.NewLinkAttrs()
	a.Name, a.Group, a.MTU = n.Link(), d.group, n.MTU
	return d.change(ctx, n.ID, "add link", a.Name, func() error {
		return d.host.LinkAdd(&netlink.Vxlan{
			LinkAttrs: a, VxlanId: n.VXLAN, VtepDevIndex: m.index, SrcAddr: m.ip.AsSlice(), Port: vxlanPort, Learning: false,
		})
	})
}

// ensurePeers makes the forwarding entries of the VXLAN link l exactly one for each peer, which sends every frame there.
func (d *Driver) ensurePeers(ctx context.Context, n netdriver.Network, l netlink.Link) error {
	name, index := l.Attrs().Name, l.Attrs().Index
	entries, err := retry(func() ([]netlink.Neigh, error) { return d.host.forwarding(index) })
	if err != nil {
		return d.failed("list the forwarding entries of", name, err)
	}
	var have []netip.Addr
	for _, e := range entries {
		peer, ok := netip.AddrFromSlice(e.IP)
		if !ok || e.Flags&netlink.NTF_SELF == 0 {
			continue // an entry of the bridge, not of the VXLAN link
		}
		peer = peer.Unmap()
		if slices.Equal(e.HardwareAddr, everyMAC()) && slices.Contains(n.Peers, peer) {
			have = append(have, peer)
			continue
		}
		err := d.change(ctx, n.ID, "remove a peer of", name, func() error { return gone(d.host.NeighDel(&e)) })
		if err != nil {
			return err
		}
	}
	for _, peer := range n.Peers {
		if slices.Contains(have, peer) {
			continue
		}
		err := d.change(ctx, n.ID, "add a peer to", name, func() error { return d.host.NeighAppend(peerEntry(index, peer)) })
		if err != nil {
			return err
		}
	}
	return nil
}

// peerEntry is the forwarding entry that sends every frame to a peer too. Such entries must be appended: to add one
// would fail, and to set one would replace the others.
func peerEntry(index int, peer netip.Addr) *netlink.Neigh {
	return &netlink.Neigh{
		LinkIndex: index, Family: unix.AF_BRIDGE, Flags: netlink.NTF_SELF, State: netlink.NUD_PERMANENT | netlink.NUD_NOARP,
		IP: peer.AsSlice(), HardwareAddr: everyMAC(),
	}
}

// everyMAC is the MAC whose forwarding entries are those of every frame.
func everyMAC() net.HardwareAddr { return make(net.HardwareAddr, 6) }
