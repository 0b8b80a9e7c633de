//go:build linux

package netlinknet

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// mesh is the interface that carries VXLAN, as it is now.
type mesh struct {
	name  string // "" if this node is alone
	index int
	mtu   int // bytes, not above Options.MaxMTU
	ip    netip.Addr
}

// tenantMTU is the largest MTU of a tenant network.
func (m mesh) tenantMTU() int { return m.mtu - overhead }

// findMesh decides which interface carries VXLAN.
func (d *Driver) findMesh() error {
	name := d.opts.MeshNIC
	if name == "" {
		var err error
		if name, err = d.defaultNIC(); err != nil {
			return err
		}
	}
	if name == "lo" {
		name = ""
	}
	d.mesh.name = name
	return nil
}

// defaultNIC returns the name of the interface of the best IPv4 default route; "" if there is none.
func (d *Driver) defaultNIC() (string, error) {
	routes, err := retry(func() ([]netlink.Route, error) {
		return d.host.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return "", d.failed("list routes", "", err)
	}
	routes = slices.DeleteFunc(routes, func(r netlink.Route) bool {
		everything := r.Dst == nil || r.Dst.IP.IsUnspecified() && slices.Equal(r.Dst.Mask, net.CIDRMask(0, 32))
		return !everything || r.Type != unix.RTN_UNICAST
	})
	if len(routes) == 0 {
		return "", nil
	}
	best := slices.MinFunc(routes, func(a, b netlink.Route) int { return a.Priority - b.Priority })
	index := best.LinkIndex
	if index == 0 && len(best.MultiPath) > 0 {
		index = best.MultiPath[0].LinkIndex
	}
	l, err := d.host.LinkByIndex(index)
	if err != nil {
		return "", d.failed("look at the interface of the default route", "", err)
	}
	return l.Attrs().Name, nil
}

// lookAtMesh returns the mesh as it is now.
func (d *Driver) lookAtMesh() (mesh, error) {
	const op = "netlinknet.mesh"
	m := mesh{name: d.mesh.name}
	if m.name == "" {
		m.mtu = min(d.opts.MaxMTU, aloneMTU)
		return m, nil
	}
	l, err := d.host.link(m.name)
	if err != nil {
		return mesh{}, err
	}
	if l == nil {
		return mesh{}, fault.New(op, fault.Invalid, "", "there is no mesh interface %s; name another or make it", m.name)
	}
	m.index, m.mtu = l.Attrs().Index, min(d.opts.MaxMTU, l.Attrs().MTU)
	if m.tenantMTU() < netdriver.MinMTU {
		return mesh{}, fault.New(op, fault.Invalid, "", "mesh interface %s has an MTU of %d bytes; at least %d are needed",
			m.name, l.Attrs().MTU, netdriver.MinMTU+overhead)
	}
	m.ip, err = d.meshIP(l)
	return m, err
}

// meshIP returns the address of the mesh interface: its first, until that is taken away.
func (d *Driver) meshIP(l netlink.Link) (netip.Addr, error) {
	all, err := retry(func() ([]netlink.Addr, error) { return d.host.AddrList(l, netlink.FAMILY_V4) })
	if err != nil {
		return netip.Addr{}, d.failed("list the addresses of", l.Attrs().Name, err)
	}
	var ips []netip.Addr
	for _, a := range all {
		ip, ok := netip.AddrFromSlice(a.IP)
		if ok && a.Scope == unix.RT_SCOPE_UNIVERSE {
			ips = append(ips, ip.Unmap())
		}
	}
	if len(ips) == 0 {
		return netip.Addr{}, fault.New("netlinknet.mesh", fault.Invalid, "",
			"mesh interface %s has no IPv4 address; give it one, or name another interface", l.Attrs().Name)
	}
	d.mesh.Lock()
	defer d.mesh.Unlock()
	if !slices.Contains(ips, d.mesh.ip) {
		d.mesh.ip = ips[0]
	}
	return d.mesh.ip, nil
}

// Info implements netdriver.Driver.
func (d *Driver) Info(ctx context.Context) (netdriver.Info, error) {
	if err := ctx.Err(); err != nil {
		return netdriver.Info{}, fault.Because("netlinknet.Info", fault.Unavailable, "", err, "given up")
	}
	m, err := d.lookAtMesh()
	if err != nil {
		return netdriver.Info{}, fault.Wrap("netlinknet.Info", "", err)
	}
	return netdriver.Info{MTU: m.tenantMTU(), MeshNIC: m.name, MeshIP: m.ip}, nil
}
