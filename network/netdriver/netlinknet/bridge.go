//go:build linux

package netlinknet

import (
	"context"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

// Attributes of a bridge, from the kernel's if_link.h.
const (
	bridgeForwardDelay = 1  // u32
	bridgeAgeingTime   = 4  // u32
	bridgeSTP          = 5  // u32
	bridgeSnooping     = 23 // u8
)

// hub is what makes a bridge a hub: no spanning tree, no waiting, nothing learned, multicast to everybody. Each group is one
// request, because the kernel refuses to wait for nothing while there is a spanning tree.
var hub = []map[uint16]string{
	{bridgeSTP: "\x00\x00\x00\x00"},
	{bridgeForwardDelay: "\x00\x00\x00\x00", bridgeAgeingTime: "\x00\x00\x00\x00", bridgeSnooping: "\x00"},
}

// ensureBridge makes the network's bridge and returns its index.
func (d *Driver) ensureBridge(ctx context.Context, n netdriver.Network) (int, error) {
	name := n.Bridge()
	l, unmarked, err := d.owned(n.ID, name, "bridge")
	if err != nil {
		return 0, err
	}
	if l == nil {
		if err := d.addBridge(ctx, n); err != nil {
			return 0, err
		}
	}
	if l == nil || unmarked {
		if err := d.setMark(ctx, n.ID, d.host.space, name); err != nil {
			return 0, err
		}
		if l, err = d.host.LinkByName(name); err != nil {
			return 0, d.failed("look at", name, err)
		}
	}
	index := l.Attrs().Index
	if err := d.ensureHub(ctx, n.ID, index); err != nil {
		return 0, err
	}
	return index, d.shape(ctx, n.ID, d.host.space, l, want{mtu: n.MTU, settings: []string{noIPv6(name), "ipv4/conf/" + name + "/arp_notify"}})
}

// addBridge makes the bridge, unmarked and down. Its first MTU is one that shape changes: only an MTU that was changed
// once is not lowered to that of the smallest port later.
func (d *Driver) addBridge(ctx context.Context, n netdriver.Network) error {
	a := netlink.NewLinkAttrs()
	a.Name, a.Group, a.MTU = n.Bridge(), d.group, n.MTU-1
	return d.change(ctx, n.ID, "add link", a.Name, func() error { return d.host.LinkAdd(&netlink.Bridge{LinkAttrs: a}) })
}

// ensureHub gives the bridge the attributes of a hub.
func (d *Driver) ensureHub(ctx context.Context, id netdriver.ID, index int) error {
	have, err := d.bridgeAttributes(index)
	if err != nil {
		return d.failed("look at", id.Bridge(), err)
	}
	for _, group := range hub {
		wrong := false
		for attr, value := range group {
			now, known := have[attr]
			wrong = wrong || known && now != value
		}
		if !wrong {
			continue
		}
		err := d.change(ctx, id, "set the attributes of", id.Bridge(), func() error { return d.setBridge(index, group) })
		if err != nil {
			return err
		}
	}
	return nil
}

// setBridge sets attributes of the bridge.
func (d *Driver) setBridge(index int, attributes map[uint16]string) error {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	for attr, value := range attributes {
		data.AddRtAttr(int(attr), []byte(value))
	}
	req := d.host.request(unix.RTM_NEWLINK, unix.NLM_F_ACK, linkNumber(index))
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// bridgeAttributes returns the attributes of a bridge by number, as the kernel gives them.
func (d *Driver) bridgeAttributes(index int) (map[uint16]string, error) {
	msgs, err := d.host.request(unix.RTM_GETLINK, unix.NLM_F_ACK, linkNumber(index)).Execute(unix.NETLINK_ROUTE, 0)
	if err != nil {
		return nil, err
	}
	have := map[uint16]string{}
	for _, msg := range msgs {
		if len(msg) < unix.SizeofIfInfomsg {
			continue
		}
		body := msg[unix.SizeofIfInfomsg:]
		for _, nested := range []uint16{unix.IFLA_LINKINFO, nl.IFLA_INFO_DATA} {
			if body, err = attribute(body, nested); err != nil {
				return nil, err
			}
		}
		attrs, err := nl.ParseRouteAttr(body)
		if err != nil {
			return nil, err
		}
		for _, a := range attrs {
			have[a.Attr.Type] = string(a.Value)
		}
	}
	return have, nil
}

// attribute returns the value of the first attribute of that number in b; nothing if there is none.
func attribute(b []byte, number uint16) ([]byte, error) {
	attrs, err := nl.ParseRouteAttr(b)
	if err != nil {
		return nil, err
	}
	for _, a := range attrs {
		if a.Attr.Type&^uint16(unix.NLA_F_NESTED) == number {
			return a.Value, nil
		}
	}
	return nil, nil
}
