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
	strict *netlink.Handle // its dumps are filtered by the kernel; see NETLINK_GET_STRICT_CHK in netlink(7)
	raw    *nl.SocketHandle
}

// openHost opens the network namespace of this process.
func openHost() (*host, error) {
	const op = "netlinknet.openHost"
	s, err := openSpace("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	h := &host{space: s}
	ns := netns.NsHandle(s.file.Fd())
	if h.strict, err = netlink.NewHandleAt(ns, unix.NETLINK_ROUTE); err != nil {
		h.close()
		return nil, fault.Because(op, fault.Unavailable, "", err, "cannot open a netlink socket")
	}
	if err := h.strict.SetStrictCheck(true); err != nil {
		h.close()
		return nil, fault.Because(op, fault.Invalid, "", err, "the kernel cannot filter dumps; Linux 4.20 or later is needed")
	}
	socket, err := nl.GetNetlinkSocketAt(ns, netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		h.close()
		return nil, fault.Because(op, fault.Unavailable, "", err, "cannot open a netlink socket")
	}
	h.raw = &nl.SocketHandle{Socket: socket}
	return h, nil
}

func (h *host) close() {
	if h.strict != nil {
		h.strict.Close()
	}
	if h.raw != nil {
		h.raw.Close()
	}
	h.space.close()
}

// request returns a request about the link of that index, for what package netlink has no call. Attributes can be added.
func (h *host) request(kind, flags uint16, index int) *nl.NetlinkRequest {
	req := &nl.NetlinkRequest{
		NlMsghdr: unix.NlMsghdr{Len: unix.SizeofNlMsghdr, Type: kind, Flags: unix.NLM_F_REQUEST | flags},
		Sockets:  map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: h.raw},
	}
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index) //nolint:gosec // indexes of links are 32 bits wide
	req.AddData(msg)
	return req
}
