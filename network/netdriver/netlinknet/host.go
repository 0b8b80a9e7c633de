//go:build linux

package netlinknet

import (
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/fault"
)

// host is the network namespace of this process.
type host struct {
	*space
	raw *nl.SocketHandle // for what package netlink has no call; it has NETLINK_GET_STRICT_CHK of netlink(7)
}

// openHost opens the network namespace of this process.
func openHost() (*host, error) {
	const op = "netlinknet.openHost"
	s, err := openSpace("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	h := &host{space: s}
	socket, err := nl.GetNetlinkSocketAt(netns.NsHandle(s.file.Fd()), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		h.close()
		return nil, fault.Because(op, fault.Unavailable, "", err, "cannot open a netlink socket")
	}
	h.raw = &nl.SocketHandle{Socket: socket}
	if err := unix.SetsockoptInt(socket.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1); err != nil {
		h.close()
		return nil, fault.Because(op, fault.Invalid, "", err, "the kernel cannot filter dumps; Linux 4.20 or later is needed")
	}
	return h, nil
}

func (h *host) close() {
	if h.raw != nil {
		h.raw.Close()
	}
	h.space.close()
}

// request returns a request with that first part; attributes can be added.
func (h *host) request(kind, flags uint16, first nl.NetlinkRequestData) *nl.NetlinkRequest {
	req := &nl.NetlinkRequest{
		NlMsghdr: unix.NlMsghdr{Len: unix.SizeofNlMsghdr, Type: kind, Flags: unix.NLM_F_REQUEST | flags},
		Sockets:  map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: h.raw},
	}
	req.AddData(first)
	return req
}

// linkNumber is the first part of a request about the link of that index.
func linkNumber(index int) *nl.IfInfomsg {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index) //nolint:gosec // indexes of links are 32 bits wide
	return msg
}

// forwarding lists the forwarding entries of the link of that index alone. On a host with thousands of networks, package
// netlink's call would list those of every link.
func (h *host) forwarding(index int) ([]netlink.Neigh, error) {
	req := h.request(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, &netlink.Ndmsg{Family: unix.AF_BRIDGE})
	req.AddData(nl.NewRtAttr(netlink.NDA_IFINDEX, nl.Uint32Attr(uint32(index)))) //nolint:gosec // indexes are positive
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
	if err != nil {
		return nil, err
	}
	entries := make([]netlink.Neigh, 0, len(msgs))
	for _, msg := range msgs {
		e, err := netlink.NeighDeserialize(msg)
		if err != nil {
			return nil, err
		}
		if e.LinkIndex == index { // should an old kernel list all
			entries = append(entries, *e)
		}
	}
	return entries, nil
}
