package network

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net"
	"net/netip"

	"github.com/shakenfist/shakenfist/fault"
)

const (
	minHostBits = 3  // a /29 in IPv4: eight addresses, of which five are for instances
	maxHostBits = 24 // a /8 in IPv4; a larger block is a typing mistake

	// randomTries is how often Pick guesses before it walks. In a block that is half full it walks once in 256.
	randomTries = 8
)

// ParseBlock reads a block of addresses for a tenant network, such as "10.0.0.0/24".
//
// It fails with fault.Invalid, and a text that begins with "cannot parse netblock", unless it is an IPv4 network of 8 to
// 16777216 addresses, without host bits, that hosts may use.
func ParseBlock(text string) (netip.Prefix, error) {
	refuse := func(format string, args ...any) (netip.Prefix, error) {
		return netip.Prefix{}, fault.New("network.ParseBlock", fault.Invalid, "",
			"cannot parse netblock: "+format, args...)
	}
	if len(text) > 64 {
		return refuse("it is %d characters long; write it as 10.0.0.0/24", len(text))
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return refuse("%s has no length; write it as %s/24", text, addr)
	}
	block, err := netip.ParsePrefix(text)
	if err != nil {
		return refuse("%q is not an address and a length; write it as 10.0.0.0/24", text)
	}
	hostBits := block.Addr().BitLen() - block.Bits()
	switch {
	case !block.Addr().Is4():
		return refuse("%s is not IPv4, the only kind there is today", text)
	case block != block.Masked():
		return refuse("%s has host bits set; write %s", text, block.Masked())
	case hostBits < minHostBits:
		return refuse("%s has %d of the %d addresses that a network needs; the smallest block is a /%d",
			text, Size(block), 1<<minHostBits, block.Addr().BitLen()-minHostBits)
	case hostBits > maxHostBits:
		return refuse("%s is too large; the largest block is a /%d", text, block.Addr().BitLen()-maxHostBits)
	}
	for _, s := range specialBlocks() {
		if block.Overlaps(s.block) {
			return refuse("%s overlaps %s, which is for %s; use a block of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
				text, s.block, s.use)
		}
	}
	return block, nil
}

type specialBlock struct {
	block netip.Prefix
	use   string
}

// specialBlocks are the IPv4 addresses that no host may have on a network of its own (RFC 6890).
func specialBlocks() []specialBlock {
	p := netip.MustParsePrefix
	return []specialBlock{
		{p("0.0.0.0/8"), "hosts that do not know their address"},
		{p("127.0.0.0/8"), "loopback"},
		{p("169.254.0.0/16"), "link-local addresses"},
		{p("224.0.0.0/4"), "multicast"},
		{p("240.0.0.0/4"), "future use and broadcast"},
	}
}

// Size returns how many addresses block has, the reserved ones included; at most 1<<63.
func Size(block netip.Prefix) uint64 {
	return 1 << min(block.Addr().BitLen()-block.Bits(), 63)
}

// Router returns the address of the network's own router: the one with index 1.
func Router(block netip.Prefix) netip.Addr { return addressAt(block, 1) }

// Broadcast returns the last address of block.
func Broadcast(block netip.Prefix) netip.Addr { return addressAt(block, Size(block)-1) }

// Reserved reports whether addr is one that no instance gets: the network's, its router's, its broadcast address.
func Reserved(block netip.Prefix, addr netip.Addr) bool {
	return addr == block.Masked().Addr() || addr == Router(block) || addr == Broadcast(block)
}

// ParseAddress reads the address that a tenant asks for within block. It fails with fault.Invalid if text is no address
// of that block, and with fault.Conflict if the address is reserved.
func ParseAddress(block netip.Prefix, text string) (netip.Addr, error) {
	const op = "network.ParseAddress"
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return netip.Addr{}, fault.New(op, fault.Invalid, "", "%.64q is not an IP address", text)
	case !block.Contains(addr):
		return netip.Addr{}, fault.New(op, fault.Invalid, "", "address %s is not in the network's block %s", addr, block)
	case Reserved(block, addr):
		return netip.Addr{}, fault.New(op, fault.Conflict, "",
			"address %s is in use by the network itself; %s to %s are for instances",
			addr, addressAt(block, 2), addressAt(block, Size(block)-2))
	}
	return addr, nil
}

// Pick returns a random address of block that is neither reserved nor taken. A nil rng is the process's own source.
//
// It asks taken a few times in a block with room, and at most once for each address in a full one, in which case it
// fails with fault.Exhausted.
func Pick(block netip.Prefix, taken func(netip.Addr) bool, rng *rand.Rand) (netip.Addr, error) {
	const first = 2 // after the network and its router
	if Size(block) <= first+1 {
		return netip.Addr{}, fault.New("network.Pick", fault.Invalid, "", "%s has no address for an instance", block)
	}
	usable := Size(block) - first - 1
	for range randomTries {
		if a := addressAt(block, first+below(rng, usable)); !taken(a) {
			return a, nil
		}
	}
	start := below(rng, usable)
	for i := range usable {
		if a := addressAt(block, first+(start+i)%usable); !taken(a) {
			return a, nil
		}
	}
	return netip.Addr{}, fault.New("network.Pick", fault.Exhausted, "",
		"no free address in %s: all %d are in use; delete an interface or use a larger network", block, usable)
}

// addressAt returns the address of block with index i.
func addressAt(block netip.Prefix, i uint64) netip.Addr {
	if a := block.Masked().Addr(); a.Is4() {
		b := a.As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(i)) //nolint:gosec // i < 1<<32 in IPv4
		return netip.AddrFrom4(b)
	}
	b := block.Masked().Addr().As16()
	low, carry := bits.Add64(binary.BigEndian.Uint64(b[8:]), i, 0)
	binary.BigEndian.PutUint64(b[8:], low)
	binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])+carry)
	return netip.AddrFrom16(b)
}

// below returns a random number less than n.
func below(rng *rand.Rand, n uint64) uint64 {
	if rng == nil {
		return rand.Uint64N(n) //nolint:gosec // addresses are no secrets
	}
	return rng.Uint64N(n)
}

// NewMAC returns a random MAC address in 02:00:00:00:00:00/24, a locally administered range. With 16 million of them
// two networks' interfaces can well draw the same: whoever keeps one claims it first. A nil rng is the process's own
// source.
func NewMAC(rng *rand.Rand) string {
	n := below(rng, 1<<24)
	return fmt.Sprintf("02:00:00:%02x:%02x:%02x", n>>16, n>>8&0xff, n&0xff)
}

// ParseMAC returns the MAC address in text in lower case with colons. It fails with fault.Invalid unless it is one that
// a network interface may have.
func ParseMAC(text string) (string, error) {
	mac, err := net.ParseMAC(text)
	var why string
	switch {
	case err != nil || len(mac) != 6:
		why = "is not a MAC address; write it as 02:00:00:ea:3a:28"
	case mac[0]&1 != 0:
		why = "is a multicast address; the first byte must be even, such as 02"
	case mac.String() == "00:00:00:00:00:00":
		why = "is no interface's address; leave it out to get one"
	case mac[0] == 0xfe:
		why = "begins with fe, which is kept for the host's side of the interface; begin it with 02" // libvirt refuses it
	default:
		return mac.String(), nil
	}
	return "", fault.New("network.ParseMAC", fault.Invalid, "", "macaddress %.64q %s", text, why)
}
