package artifact

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/shakenfist/shakenfist/fault"
)

// Sources says from which addresses images may come. What counts is the address that a name means at the moment of
// connecting, so that neither a redirect nor a name whose address changes gets around it.
//
// Always refused, unless Allow has them, are link-local addresses, where clouds keep their machines' secrets, and addresses
// that no server can have. Loopback and private ranges are fine: mirrors are there.
type Sources struct {
	Deny  []Range // refused as well
	Allow []Range // wins over everything

	// Own is where this cloud itself listens, and where its store does, as host:port. No host, 0.0.0.0 and [::] mean
	// every address of this machine, and those of Machines.
	Own []string
	// Machines returns the addresses of the cloud's machines among each other. nil: there are none.
	Machines func(ctx context.Context) []netip.Addr
	// Mesh returns the ranges in which the cloud's machines are among themselves. nil: there are none.
	Mesh func() []netip.Prefix
	// Tenants returns the ranges of a namespace's networks, and of what is floated to it. nil: there are none.
	Tenants func(ctx context.Context, namespace string) []netip.Prefix
}

// Range is a set of addresses and ports.
type Range struct {
	Prefix netip.Prefix // the zero value is every address
	Port   uint16       // 0 is every port
}

func (r Range) has(a netip.AddrPort) bool {
	return (!r.Prefix.IsValid() || r.Prefix.Contains(a.Addr())) && (r.Port == 0 || r.Port == a.Port())
}

// ParseRanges reads ranges separated by commas: 10.0.0.0/8, 10.0.0.1, 10.0.0.1:80, [fd00::1]:80 or just a port. It fails with
// fault.Invalid.
func ParseRanges(text string) ([]Range, error) {
	var ranges []Range
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		r, ok := parseRange(word)
		if !ok {
			return nil, fault.New("artifact.ParseRanges", fault.Invalid, "",
				"%q is none of 10.0.0.0/8, 10.0.0.1, 10.0.0.1:80, [fd00::1]:80 and 80; separate several by commas", word)
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

func parseRange(word string) (Range, bool) {
	if port, err := strconv.ParseUint(word, 10, 16); err == nil {
		return Range{Port: uint16(port)}, port > 0
	}
	if p, err := netip.ParsePrefix(word); err == nil {
		return Range{Prefix: p.Masked()}, !p.Addr().Is4In6()
	}
	if a, err := netip.ParseAddr(word); err == nil {
		return single(a, 0), a.Zone() == ""
	}
	if a, err := netip.ParseAddrPort(word); err == nil {
		return single(a.Addr(), a.Port()), a.Addr().Zone() == "" && a.Port() > 0
	}
	return Range{}, false
}

func single(a netip.Addr, port uint16) Range {
	a = a.Unmap()
	return Range{Prefix: netip.PrefixFrom(a, a.BitLen()), Port: port}
}

// guard refuses connections for one namespace.
type guard struct {
	Sources
	namespace string
}

// check fails with fault.Forbidden if no image may come from an address.
func (g guard) check(ctx context.Context, to netip.AddrPort) error {
	for _, a := range meanings(to) {
		if err := g.checkOne(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// meanings returns an address in its plain form and, if it stands for an IPv4 address behind a translator, that one too.
func meanings(to netip.AddrPort) []netip.AddrPort {
	addr := to.Addr().Unmap().WithZone("")
	all := []netip.AddrPort{netip.AddrPortFrom(addr, to.Port())}
	if netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		b := addr.As16()
		all = append(all, netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:])), to.Port()))
	}
	return all
}

func (g guard) checkOne(ctx context.Context, to netip.AddrPort) error {
	if slices.ContainsFunc(g.Allow, func(r Range) bool { return r.has(to) }) {
		return nil
	}
	why, err := g.why(ctx, to)
	if err != nil || why == "" {
		return err
	}
	return fault.New(opConnect, fault.Forbidden, "", "no image may come from %s, which %s; an operator can allow it with IMAGE_SOURCE_ALLOW", to, why)
}

// why says why no image may come from an address; "" if one may.
func (g guard) why(ctx context.Context, to netip.AddrPort) (string, error) {
	within := func(p netip.Prefix) bool { return p.Contains(to.Addr()) }
	switch addr := to.Addr(); {
	case slices.ContainsFunc(g.Deny, func(r Range) bool { return r.has(to) }):
		return "is in IMAGE_SOURCE_DENY", nil
	case addr.IsLinkLocalUnicast():
		return "is a link-local address", nil
	case nobodys(addr):
		return "is an address that no server can have", nil
	case g.Tenants != nil && slices.ContainsFunc(g.Tenants(ctx, g.namespace), within):
		return "is in a network of this namespace", nil
	case g.Mesh != nil && slices.ContainsFunc(g.Mesh(), within):
		return "is in the network of this cloud's machines", nil
	}
	own, err := g.own(ctx, to)
	if own {
		return "is where this cloud itself listens", nil
	}
	return "", err
}

// nobodys reports whether an address is of a kind that means many machines, or this one without saying so.
func nobodys(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsMulticast() || netip.MustParsePrefix("0.0.0.0/8").Contains(a) ||
		a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// own reports whether the cloud itself listens at an address. A name among its own that can't be resolved might mean any.
func (g guard) own(ctx context.Context, to netip.AddrPort) (bool, error) {
	for _, place := range g.Own {
		host, port, err := net.SplitHostPort(place)
		if err != nil || port != strconv.Itoa(int(to.Port())) {
			continue
		}
		if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
			if g.ours(ctx, to.Addr()) {
				return true, nil
			}
			continue
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return false, fault.Because(opConnect, fault.Unavailable, "", err, "whether %s is one of this cloud's own addresses cannot be told now", to)
		}
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap().WithZone("") == to.Addr() }) {
			return true, nil
		}
	}
	return false, nil
}

// ours reports whether an address is one of this machine, or of another of the cloud.
func (g guard) ours(ctx context.Context, addr netip.Addr) bool {
	if addr.IsLoopback() || g.Machines != nil && slices.ContainsFunc(g.Machines(ctx), func(a netip.Addr) bool { return a.Unmap() == addr }) {
		return true
	}
	here, err := net.InterfaceAddrs()
	if err != nil {
		return true // nothing is known of this machine, so everything could be
	}
	return slices.ContainsFunc(here, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr().Unmap() == addr
	})
}

// control is a net.Dialer's ControlContext: it sees each address before it is connected to.
func (g guard) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	return g.checkText(ctx, address)
}

// checkText is check of an address as text. What is no address is a name, whose addresses are checked later, or a pipe.
func (g guard) checkText(ctx context.Context, address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	return g.check(ctx, to)
}
