package netdriver

import (
	"net"
	"net/netip"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
)

// MinMTU is the smallest MTU of a network, in bytes: what every IPv4 host must be able to receive (RFC 791), which DHCP
// relies on.
const MinMTU = 576

// Validate fails with fault.Invalid, naming the field, if n makes no sense on any host. Every driver refuses what
// Validate refuses, before it touches anything; so nothing that a driver writes into a file or a command line can be
// more than it seems.
func (n Network) Validate() error {
	if err := n.ID.Validate(); err != nil {
		return err
	}
	if n.MTU < MinMTU {
		return n.invalid("MTU is %d bytes; it must be at least %d", n.MTU, MinMTU)
	}
	for i, p := range n.Peers {
		if !p.Is4() || p.IsUnspecified() || p.IsMulticast() {
			return n.invalid("peer %s is no IPv4 address of a node", p)
		}
		if i > 0 && n.Peers[i-1].Compare(p) >= 0 {
			return n.invalid("peers must be ascending and without duplicates; %s follows %s", p, n.Peers[i-1])
		}
	}
	if n.Gateway == nil {
		return nil
	}
	return n.validateGateway(*n.Gateway)
}

// Validate fails with fault.Invalid if i does not identify a network.
func (i ID) Validate() error {
	if !isUUID(i.UUID) {
		return i.invalid("%q is no UUID in lower case", i.UUID)
	}
	if i.VXLAN < 1 || i.VXLAN >= 1<<24 {
		return i.invalid("VXLAN id is %d; it must be from 1 to %d", i.VXLAN, 1<<24-1)
	}
	return nil
}

func (i ID) invalid(format string, args ...any) error {
	return fault.New("netdriver.Validate", fault.Invalid, i.UUID, format, args...)
}

func (n Network) validateGateway(g Gateway) error {
	if !g.Address.IsValid() || !g.Address.Addr().Is4() || g.Address.Bits() > 30 {
		return n.invalid("gateway address %s is no IPv4 address with a prefix of at most 30 bits", g.Address)
	}
	if !usable(g.Address, g.Address.Addr()) {
		return n.invalid("gateway address %s is the first or last of its block, which no host can have", g.Address)
	}
	if g.DHCP == nil {
		return nil
	}
	return n.validateDHCP(g.Address, *g.DHCP)
}

func (n Network) validateDHCP(block netip.Prefix, d DHCP) error {
	if d.Domain != "" && !isDomain(d.Domain) {
		return n.invalid("DHCP domain %q is no DNS name", d.Domain)
	}
	for _, a := range d.DNS {
		if !a.Is4() {
			return n.invalid("DNS server %s is no IPv4 address", a)
		}
	}
	if d.Router.IsValid() && !d.Router.Is4() {
		return n.invalid("router %s is no IPv4 address", d.Router)
	}
	macs, addresses := make(map[string]bool, len(d.Hosts)), make(map[netip.Addr]bool, len(d.Hosts))
	for _, h := range d.Hosts {
		if !isMAC(h.MAC) {
			return n.invalid("%q is no MAC in lower case with colons", h.MAC)
		}
		if !usable(block, h.Address) || h.Address == block.Addr() {
			return n.invalid("DHCP host %s cannot have the address %s in the block %s", h.MAC, h.Address, block.Masked())
		}
		if h.Name != "" && !isLabel(h.Name) {
			return n.invalid("name %q of DHCP host %s is no DNS label", h.Name, h.MAC)
		}
		if macs[h.MAC] || addresses[h.Address] {
			return n.invalid("DHCP host %s with address %s: one of the two is there twice", h.MAC, h.Address)
		}
		macs[h.MAC], addresses[h.Address] = true, true
	}
	return nil
}

// usable reports whether a host can have the address a in the block: not its first, which names the block, nor its
// last, which is broadcast.
func usable(block netip.Prefix, a netip.Addr) bool {
	if !a.Is4() || !block.Contains(a) || a == block.Masked().Addr() {
		return false
	}
	next := a.Next()
	return next.IsValid() && block.Contains(next)
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }

// isMAC reports whether s is a unicast MAC, lower case with colons.
func isMAC(s string) bool {
	m, err := net.ParseMAC(s)
	return err == nil && len(m) == 6 && m.String() == s && m[0]&1 == 0
}

// isDomain reports whether s is one or more DNS labels, joined by dots.
func isDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isLabel reports whether s is a DNS label of letters, digits and inner hyphens (RFC 1123, section 2.1).
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if digit, letter := '0' <= c && c <= '9', 'a' <= c|0x20 && c|0x20 <= 'z'; c != '-' && !digit && !letter {
			return false
		}
	}
	return true
}
