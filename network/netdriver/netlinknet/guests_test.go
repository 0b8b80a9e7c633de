//go:build linux

package netlinknet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/network/netdriver/netdrivertest"
)

// Guests serves ports: each a network namespace that stands for a guest, plugged in as libvirt plugs in a guest's NIC.
type Guests struct {
	mu    sync.Mutex
	ports map[int]*space
	next  int
}

// PlugArgs says what to plug in.
type PlugArgs struct {
	Bridge string
	MAC    string
	MTU    int
}

// Plug makes a port.
func (g *Guests) Plug(a PlugArgs, reply *int) error {
	host, err := openSpace("/proc/self/ns/net")
	if err != nil {
		return err
	}
	defer host.close()
	bridge, err := host.LinkByName(a.Bridge)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", a.Bridge, err)
	}
	mac, err := net.ParseMAC(a.MAC)
	if err != nil {
		return err
	}
	guest, err := newGuest()
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.next++
	n := g.next
	if g.ports == nil {
		g.ports = map[int]*space{}
	}
	g.ports[n] = guest
	g.mu.Unlock()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = fmt.Sprintf("tap%d", n), a.MTU
	err = host.LinkAdd(&netlink.Veth{
		LinkAttrs: attrs, PeerName: "eth0", PeerHardwareAddr: mac, PeerMTU: uint32(a.MTU), PeerNamespace: netlink.NsFd(int(guest.file.Fd())),
	})
	if err != nil {
		return err
	}
	tap, err := host.LinkByName(attrs.Name)
	if err != nil {
		return err
	}
	nic, err := guest.LinkByName("eth0")
	if err != nil {
		return err
	}
	*reply = n
	return errors.Join(host.LinkSetMaster(tap, bridge), host.LinkSetUp(tap), guest.LinkSetUp(nic))
}

// newGuest makes a network namespace without a name.
func newGuest() (s *space, err error) {
	err = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := writeSetting("/proc/sys/net/ipv6/conf/default/disable_ipv6"); err != nil {
			return err
		}
		s, err = openSpace("/proc/thread-self/ns/net")
		return err
	})
	return s, err
}

func (g *Guests) port(n int) (*space, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p, ok := g.ports[n]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("there is no port %d", n)
}

// Unplug removes a port.
func (g *Guests) Unplug(n int, _ *int) error {
	p, err := g.port(n)
	if err != nil {
		return nil //nolint:nilerr // unplugging twice is success
	}
	g.mu.Lock()
	delete(g.ports, n)
	g.mu.Unlock()
	if nic, err := p.link("eth0"); err == nil && nic != nil {
		err = p.LinkDel(nic)
		if err != nil {
			return err
		}
	}
	p.close()
	return nil
}

// TakeArgs says which address a port takes.
type TakeArgs struct {
	Port    int
	Address netip.Prefix
}

// Take gives a port its only address.
func (g *Guests) Take(a TakeArgs, _ *int) error {
	p, err := g.port(a.Port)
	if err != nil {
		return err
	}
	nic, err := p.LinkByName("eth0")
	if err != nil {
		return err
	}
	have, err := p.AddrList(nic, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, old := range have {
		if err := p.AddrDel(nic, &old); err != nil {
			return err
		}
	}
	return p.AddrAdd(nic, &netlink.Addr{IPNet: &net.IPNet{
		IP: a.Address.Addr().AsSlice(), Mask: net.CIDRMask(a.Address.Bits(), 32),
	}})
}

// LeaseReply is what DHCP gave.
type LeaseReply struct {
	Lease netdrivertest.Lease
	OK    bool
}

// DHCP asks for a lease.
func (g *Guests) DHCP(n int, reply *LeaseReply) error {
	p, err := g.port(n)
	if err != nil {
		return err
	}
	var client *nclient4.Client
	err = p.do(func() error {
		client, err = nclient4.New("eth0", nclient4.WithTimeout(400*time.Millisecond), nclient4.WithRetry(2))
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	lease, err := client.Request(context.Background(),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionHostName, dhcpv4.OptionDomainName, dhcpv4.OptionDomainNameServer))
	if err != nil {
		return nil //nolint:nilerr // no lease is an answer here
	}
	reply.OK, reply.Lease = true, leaseOf(lease.ACK)
	return g.Take(TakeArgs{n, reply.Lease.Address}, nil)
}

func leaseOf(ack *dhcpv4.DHCPv4) netdrivertest.Lease {
	bits, _ := ack.SubnetMask().Size()
	l := netdrivertest.Lease{
		Address: netip.PrefixFrom(addrOf(ack.YourIPAddr), bits), Domain: ack.DomainName(), Name: ack.HostName(),
	}
	if r := ack.Router(); len(r) > 0 {
		l.Router = addrOf(r[0])
	}
	for _, a := range ack.DNS() {
		l.DNS = append(l.DNS, addrOf(a))
	}
	if mtu, err := dhcpv4.GetUint16(dhcpv4.OptionInterfaceMTU, ack.Options); err == nil {
		l.MTU = int(mtu)
	}
	return l
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// PingArgs says whom to ping.
type PingArgs struct {
	Port int
	To   netip.Addr
	Size int // of the IP packet, in bytes
}

// pingWithin is how long a port waits for an answer.
const pingWithin = 500 * time.Millisecond

// Ping sends one ICMP echo that must not be fragmented and waits for its answer.
func (g *Guests) Ping(a PingArgs, ok *bool) error {
	p, err := g.port(a.Port)
	if err != nil {
		return err
	}
	fd := -1
	err = p.do(func() error {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE); err != nil {
		return err
	}
	echo := make([]byte, a.Size-20) // without the IP header
	echo[0] = 8
	binary.BigEndian.PutUint16(echo[4:], uint16(a.Port))
	binary.BigEndian.PutUint16(echo[6:], uint16(fd))
	binary.BigEndian.PutUint16(echo[2:], checksum(echo))
	if err := unix.Sendto(fd, echo, 0, &unix.SockaddrInet4{Addr: a.To.As4()}); err != nil {
		return nil //nolint:nilerr // too large, or no route: it does not get there
	}
	*ok = answered(fd, a, echo)
	runtime.KeepAlive(p)
	return nil
}

// answered waits for the reply to echo.
func answered(fd int, a PingArgs, echo []byte) bool {
	buffer := make([]byte, 1<<16)
	for deadline := time.Now().Add(pingWithin); ; {
		left := unix.NsecToTimeval(max(time.Until(deadline), time.Millisecond).Nanoseconds())
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &left); err != nil {
			return false
		}
		n, from, err := unix.Recvfrom(fd, buffer, 0)
		if err == nil {
			peer, isV4 := from.(*unix.SockaddrInet4)
			if isV4 && peer.Addr == a.To.As4() && n == a.Size && buffer[20] == 0 && string(buffer[24:n]) == string(echo[4:]) {
				return true
			}
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
