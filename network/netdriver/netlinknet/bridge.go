//go:build linux

package netlinknet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

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

// hub is what makes a bridge a hub: no spanning tree, no waiting, nothing learned, multicast to everybody.
var hub = map[uint16][]byte{
	bridgeForwardDelay: {0, 0, 0, 0},
	bridgeAgeingTime:   {0, 0, 0, 0},
	bridgeSTP:          {0, 0, 0, 0},
	bridgeSnooping:     {0},
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
	if err := d.ensureSysctls(ctx, n.ID, name, "ipv6/conf/"+name+"/disable_ipv6", "ipv4/conf/"+name+"/arp_notify"); err != nil {
		return 0, err
	}
	return index, d.shape(ctx, n.ID, d.host.space, l, want{mtu: n.MTU})
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
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	wrong := false
	for attr, value := range hub {
		data.AddRtAttr(int(attr), value)
		wrong = wrong || have[attr] != string(value)
	}
	if !wrong {
		return nil
	}
	return d.change(ctx, id, "set the attributes of", id.Bridge(), func() error {
		req := d.host.request(unix.RTM_NEWLINK, unix.NLM_F_ACK, index)
		req.AddData(info)
		_, err := req.Execute(unix.NETLINK_ROUTE, 0)
		return err
	})
}

// bridgeAttributes returns the attributes of a bridge by number, as the kernel gives them.
func (d *Driver) bridgeAttributes(index int) (map[uint16]string, error) {
	msgs, err := d.host.request(unix.RTM_GETLINK, unix.NLM_F_ACK, index).Execute(unix.NETLINK_ROUTE, 0)
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

// ensureSysctls sets settings below /proc/sys/net to 1. That folder shows the network namespace of the thread that looks. A
// kernel without IPv6 has no settings for it, and needs none.
func (d *Driver) ensureSysctls(ctx context.Context, id netdriver.ID, name string, settings ...string) error {
	for _, setting := range settings {
		path := "/proc/sys/net/" + setting
		value, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(value)) == "1" || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err = d.change(ctx, id, "set "+setting+" of", name, func() error { return writeSetting(path) })
		if err != nil {
			return err
		}
	}
	return nil
}

// writeSetting sets a setting of the kernel to 1.
func writeSetting(path string) error {
	return os.WriteFile(path, []byte("1"), 0) //nolint:gosec // it exists, so the mode does not matter
}
