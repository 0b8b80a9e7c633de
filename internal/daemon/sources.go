package daemon

import (
	"bufio"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/artifact"
)

// sources says where images may come from. The API listens at api.
func (c *config) sources(api net.Addr) (artifact.Sources, error) {
	deny, err := artifact.ParseRanges(c.SourceDeny)
	if err != nil {
		return artifact.Sources{}, err
	}
	allow, err := artifact.ParseRanges(c.SourceAllow)
	if err != nil {
		return artifact.Sources{}, err
	}
	s := artifact.Sources{Deny: deny, Allow: allow, Own: append(c.storeAddresses(), api.String())}
	if c.MeshNIC != "" && c.MeshNIC != "lo" {
		s.Mesh = func() []netip.Prefix { return meshRanges(c.MeshNIC, "/proc/net/route") }
	}
	return s, nil
}

// storeAddresses are where the state store listens, as host:port; none if it is inside this process, where it has a socket.
func (c *config) storeAddresses() []string {
	var all []string
	for _, e := range c.endpoints() {
		u, err := url.Parse(e)
		switch {
		case err != nil || u.Host == "":
			all = append(all, e) // host:port alone is an endpoint too
		case u.Port() == "":
			all = append(all, net.JoinHostPort(u.Hostname(), "2379"))
		default:
			all = append(all, u.Host)
		}
	}
	return all
}

// meshRanges returns the ranges of the interface that carries VXLAN, provided that it is there for nothing else: where the
// default route goes through it, or there is none, it leads to mirrors too.
func meshRanges(nic, routes string) []netip.Prefix {
	uplinks := defaultNICs(routes)
	if len(uplinks) == 0 || slices.Contains(uplinks, nic) {
		return nil
	}
	l, err := net.InterfaceByName(nic)
	if err != nil {
		return nil
	}
	addrs, err := l.Addrs()
	if err != nil {
		return nil
	}
	var ranges []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
			ranges = append(ranges, p.Masked())
		}
	}
	return ranges
}

// defaultNICs returns the interfaces of the IPv4 default routes, as the kernel's file of routes has them.
func defaultNICs(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // only read
	var nics []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// interface, destination, gateway, flags, …, mask
		if words := strings.Fields(lines.Text()); len(words) > 7 && words[1] == "00000000" && words[7] == "00000000" {
			nics = append(nics, words[0])
		}
	}
	return nics
}
