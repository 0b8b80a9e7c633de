package configdrive

import (
	"fmt"
	"net"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shakenfist/shakenfist/fault"
)

// The most that a drive holds.
const (
	MaxUserData   = 256 << 10 // bytes, decoded
	MaxSeed       = 4096      // bytes
	MaxSSHKey     = 64 << 10  // bytes, all keys together
	MaxInterfaces = 16
	MaxResolvers  = 64 // before they are merged
	maxZone       = 255
	maxSearch     = 32 // domains of one resolver
)

// invalid is the error for a field that no guest could use.
func (d Drive) invalid(field, format string, args ...any) error {
	return fault.New(opBuild, fault.Invalid, d.UUID, field+" "+format, args...)
}

func (d Drive) check() error {
	switch {
	case !isUUID(d.UUID):
		return d.invalid("uuid", "%.64q is not a UUID in lower case", d.UUID)
	case !isLabel(d.Name):
		return d.invalid("name", "%.80q is not a DNS label: letters, digits and inner hyphens, at most 63", d.Name)
	case !isLine(d.Zone, maxZone):
		return d.invalid("zone", "must be one line of 1 to %d characters", maxZone)
	case len(d.SSHKey) > MaxSSHKey:
		return d.invalid("ssh_key", "is %d bytes long; at most %d fit", len(d.SSHKey), MaxSSHKey)
	case !utf8.ValidString(d.SSHKey) || strings.ContainsFunc(d.SSHKey, isControl):
		return d.invalid("ssh_key", "must be public keys as text, one a line; this is something else")
	case len(d.UserData) > MaxUserData:
		return d.invalid("user_data", "is %d bytes long; at most %d fit", len(d.UserData), MaxUserData)
	case len(d.Seed) == 0 || len(d.Seed) > MaxSeed:
		return d.invalid("random_seed", "is %d bytes long; it must be 1 to %d", len(d.Seed), MaxSeed)
	case len(d.Interfaces) > MaxInterfaces:
		return d.invalid("network", "lists %d interfaces; at most %d fit", len(d.Interfaces), MaxInterfaces)
	case len(d.Resolvers) > MaxResolvers:
		return d.invalid("dns", "lists %d servers; at most %d fit", len(d.Resolvers), MaxResolvers)
	}
	if err := d.checkInterfaces(); err != nil {
		return err
	}
	return d.checkResolvers()
}

func (d Drive) checkInterfaces() error {
	orders, ids, macs := map[int]bool{}, map[string]bool{}, map[string]bool{}
	for _, i := range d.Interfaces {
		at := fmt.Sprintf("network interface %d", i.Order)
		mac, macErr := net.ParseMAC(i.MAC)
		switch {
		case i.Order < 0:
			return d.invalid(at, "has a negative order")
		case orders[i.Order]:
			return d.invalid(at, "is there twice")
		case !isUUID(i.ID) || ids[i.ID]:
			return d.invalid(at, "has id %.64q; it must be a UUID of its own", i.ID)
		case !isUUID(i.NetworkID):
			return d.invalid(at, "has network_id %.64q; it must be a UUID", i.NetworkID)
		case macErr != nil || len(mac) != 6 || mac.String() != i.MAC || mac[0]&1 != 0:
			return d.invalid(at, "has macaddr %.64q; it must be like 02:00:00:ea:3a:28", i.MAC)
		case macs[i.MAC]:
			return d.invalid(at, "has macaddr %s, and so has another", i.MAC)
		case i.MTU < 68 || i.MTU > 65535: // the least and the most of IPv4, RFC 791
			return d.invalid(at, "has mtu %d; it must be 68 to 65535", i.MTU)
		}
		if err := d.checkAddress(at, i); err != nil {
			return err
		}
		orders[i.Order], ids[i.ID], macs[i.MAC] = true, true, true
	}
	return nil
}

func (d Drive) checkAddress(at string, i Interface) error {
	a, g := i.Address.Addr(), i.Gateway
	switch {
	case !i.Address.IsValid() && g.IsValid():
		return d.invalid(at, "has gateway %s but no address", g)
	case !i.Address.IsValid():
		return nil
	case a.Is4In6() || a.IsUnspecified() || a.IsMulticast():
		return d.invalid(at, "has address %s, which no host can have", a)
	case g.IsValid() && (g.Zone() != "" || !i.Address.Masked().Contains(g)):
		return d.invalid(at, "has gateway %s, which is not in %s", g, i.Address.Masked())
	case g.IsValid() && g == a:
		return d.invalid(at, "has address %s, which is its gateway's too", a)
	}
	return nil
}

func (d Drive) checkResolvers() error {
	for n, r := range d.Resolvers {
		at := fmt.Sprintf("dns server %d", n)
		switch {
		case !r.Address.IsValid() || r.Address.Zone() != "" || r.Address.IsUnspecified() || r.Address.IsMulticast():
			return d.invalid(at, "has address %s, which no server can have", r.Address)
		case len(r.Search) > maxSearch:
			return d.invalid(at, "has %d search domains; at most %d fit", len(r.Search), maxSearch)
		}
		for _, s := range r.Search {
			if !isDomain(s) {
				return d.invalid(at, "has search domain %.80q, which is not a domain name", s)
			}
		}
	}
	return nil
}

func isUUID(s string) bool {
	const digits = "0123456789abcdef"
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune(digits, c) {
			return false
		}
	}
	return true
}

// isLabel reports whether s is a DNS label (RFC 1123).
func isLabel(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
	return s != "" && len(s) <= 63 && strings.Trim(s, letters) == "" && s[0] != '-' && s[len(s)-1] != '-'
}

// isDomain reports whether s can be searched. Underscores are let through: a namespace's name may have them.
func isDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(strings.ReplaceAll(label, "_", "x")) {
			return false
		}
	}
	return len(s) <= 253
}

func isLine(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isControl reports a control character that has no place in a text of several lines.
func isControl(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) }
