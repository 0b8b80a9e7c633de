//go:build linux

package netlinknet

import (
	"context"
	"crypto/sha256"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

// ensureGateway makes the network's gateway: namespace, link to the bridge with that index, address, DHCP.
func (d *Driver) ensureGateway(ctx context.Context, n netdriver.Network, bridge int) error {
	s, fresh, err := d.ensureSpace(ctx, n.ID)
	if err != nil {
		return err
	}
	defer s.close()
	inner, err := d.ensureVeth(ctx, n, s, bridge)
	if err != nil {
		return err
	}
	if err := d.ensureAddress(ctx, n, s, inner); err != nil {
		return err
	}
	return d.ensureDHCP(ctx, n, s, fresh)
}

// ensureVeth makes the pair of links between bridge and namespace and returns its inner end.
func (d *Driver) ensureVeth(ctx context.Context, n netdriver.Network, s *space, bridge int) (netlink.Link, error) {
	outer, unmarked, err := d.owned(n.ID, n.Veth("o"), "veth")
	if err != nil {
		return nil, err
	}
	inner, err := s.link(n.Veth("i"))
	if err != nil {
		return nil, err
	}
	if !paired(outer, inner) {
		if err := d.addVeth(ctx, n, s, outer, inner); err != nil {
			return nil, err
		}
		unmarked = true
	}
	if unmarked {
		if err := d.setMark(ctx, n.ID, d.host.space, n.Veth("o")); err != nil {
			return nil, err
		}
	}
	if unmarked || inner.Attrs().Alias != d.mark(n.ID) {
		if err := d.setMark(ctx, n.ID, s, n.Veth("i")); err != nil {
			return nil, err
		}
		if outer, err = d.host.LinkByName(n.Veth("o")); err != nil {
			return nil, d.failed("look at", n.Veth("o"), err)
		}
		if inner, err = s.LinkByName(n.Veth("i")); err != nil {
			return nil, d.failed("look at", n.Veth("i"), err)
		}
	}
	w := want{mtu: n.MTU, master: bridge, settings: []string{noIPv6(n.Veth("o"))}}
	if err := d.shape(ctx, n.ID, d.host.space, outer, w); err != nil {
		return nil, err
	}
	return inner, d.shape(ctx, n.ID, s, inner, want{mtu: n.MTU})
}

// paired reports whether both ends are there and each other's.
func paired(outer, inner netlink.Link) bool {
	return outer != nil && inner != nil && inner.Type() == "veth" &&
		outer.Attrs().ParentIndex == inner.Attrs().Index && inner.Attrs().ParentIndex == outer.Attrs().Index
}

// addVeth makes the pair in place of whatever is left of another one, which is nil or without its end. A dnsmasq would
// not hear a new inner end, so it is stopped first.
func (d *Driver) addVeth(ctx context.Context, n netdriver.Network, s *space, outer, inner netlink.Link) error {
	if err := d.stopDHCP(ctx, n.ID); err != nil {
		return err
	}
	if outer != nil {
		if err := d.deleteLink(ctx, n.ID, n.Veth("o"), "veth"); err != nil {
			return err
		}
	}
	if inner != nil {
		err := d.change(ctx, n.ID, "delete link", n.Veth("i"), func() error { return gone(s.LinkDel(inner)) })
		if err != nil {
			return err
		}
	}
	a := netlink.NewLinkAttrs()
	a.Name, a.Group, a.MTU = n.Veth("o"), d.group, n.MTU
	return d.change(ctx, n.ID, "add link", a.Name, func() error {
		return d.host.LinkAdd(&netlink.Veth{
			LinkAttrs: a, PeerName: n.Veth("i"), PeerHardwareAddr: routerMAC(n.UUID), PeerMTU: uint32(n.MTU), //nolint:gosec // validated
			PeerNamespace: netlink.NsFd(int(s.file.Fd())),
		})
	})
}

// routerMAC returns the MAC of the network's router, wherever its gateway is.
func routerMAC(uuid string) net.HardwareAddr {
	sum := sha256.Sum256([]byte("router of " + uuid))
	return append(net.HardwareAddr{0x06}, sum[:5]...) // locally administered; guests' begin with 02
}

// ensureAddress makes the router's address the only one of the inner end.
func (d *Driver) ensureAddress(ctx context.Context, n netdriver.Network, s *space, inner netlink.Link) error {
	name := inner.Attrs().Name
	have, err := retry(func() ([]netlink.Addr, error) { return s.AddrList(inner, netlink.FAMILY_V4) })
	if err != nil {
		return d.failed("list the addresses of", name, err)
	}
	found := false
	for _, a := range have {
		bits, _ := a.Mask.Size()
		ip, _ := netip.AddrFromSlice(a.IP.To4())
		if netip.PrefixFrom(ip, bits) == n.Gateway.Address {
			found = true
			continue
		}
		err := d.change(ctx, n.ID, "remove an address of", name, func() error { return gone(s.AddrDel(inner, &a)) })
		if err != nil {
			return err
		}
	}
	if found && len(have) == 1 { // otherwise it may have gone with an address that it was secondary to
		return nil
	}
	return d.change(ctx, n.ID, "add the router's address to", name, func() error {
		return s.AddrReplace(inner, &netlink.Addr{IPNet: &net.IPNet{
			IP: n.Gateway.Address.Addr().AsSlice(), Mask: net.CIDRMask(n.Gateway.Address.Bits(), 32),
		}})
	})
}

// removeGateway removes everything of a gateway, in the opposite order.
func (d *Driver) removeGateway(ctx context.Context, id netdriver.ID) error {
	if err := d.stopDHCP(ctx, id); err != nil {
		return err
	}
	if err := d.deleteLink(ctx, id, id.Veth("o"), "veth"); err != nil {
		return err
	}
	if err := d.removeSpace(ctx, id); err != nil {
		return err
	}
	return d.removeState(ctx, id)
}
