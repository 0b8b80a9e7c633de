package artifact

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/fault"
)

// guarded is a guard with everything that there is to refuse.
func guarded(t *testing.T, deny, allow string) guard {
	t.Helper()
	d, err := ParseRanges(deny)
	require.NoError(t, err)
	a, err := ParseRanges(allow)
	require.NoError(t, err)
	return guard{namespace: "tenant", Sources: Sources{
		Deny: d, Allow: a, Own: []string{"127.0.0.1:13000", "10.9.0.1:2379", "[fd00::5]:2379", "0.0.0.0:7000", ":7001"},
		Machines: func(context.Context) []netip.Addr { return []netip.Addr{netip.MustParseAddr("10.9.9.9")} },
		Mesh:     func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("172.31.0.0/24")} },
		Tenants: func(_ context.Context, namespace string) []netip.Prefix {
			if namespace != "tenant" {
				return nil
			}
			return []netip.Prefix{netip.MustParsePrefix("10.7.0.0/24")}
		},
	}}
}

func TestImagesComeFromNowhereThatOnlyThisHostCanReach(t *testing.T) {
	t.Parallel()
	g := guarded(t, "192.0.2.0/24, 198.51.100.7, 198.51.100.8:8080, 6000, 2001:db8::/32", "")
	for to, why := range map[string]string{
		"169.254.169.254:80":          "link-local",
		"[::ffff:169.254.169.254]:80": "link-local",
		"[64:ff9b::a9fe:a9fe]:80":     "link-local",
		"[fe80::1%eth0]:80":           "link-local",
		"0.0.0.0:80":                  "no server can have",
		"0.1.2.3:80":                  "no server can have",
		"[::]:80":                     "no server can have",
		"224.0.0.1:80":                "no server can have",
		"255.255.255.255:80":          "no server can have",
		"[ff02::1]:80":                "no server can have",
		"192.0.2.77:80":               "IMAGE_SOURCE_DENY",
		"[::ffff:192.0.2.77]:80":      "IMAGE_SOURCE_DENY",
		"198.51.100.7:443":            "IMAGE_SOURCE_DENY",
		"198.51.100.8:8080":           "IMAGE_SOURCE_DENY",
		"203.0.113.1:6000":            "IMAGE_SOURCE_DENY",
		"[2001:db8::9]:80":            "IMAGE_SOURCE_DENY",
		"10.7.0.200:80":               "network of this namespace",
		"172.31.0.9:80":               "network of this cloud's machines",
		"127.0.0.1:13000":             "this cloud itself listens",
		"10.9.0.1:2379":               "this cloud itself listens",
		"[::ffff:10.9.0.1]:2379":      "this cloud itself listens",
		"[fd00::5]:2379":              "this cloud itself listens",
		"127.0.0.2:7000":              "this cloud itself listens",
		"[::1]:7001":                  "this cloud itself listens",
		"10.9.9.9:7000":               "this cloud itself listens",
	} {
		err := g.check(t.Context(), netip.MustParseAddrPort(to))
		require.ErrorIs(t, err, fault.Forbidden, to)
		require.Contains(t, fault.Text(err), why, to)
		require.Contains(t, fault.Text(err), "IMAGE_SOURCE_ALLOW", to)
	}
	for _, to := range []string{
		"127.0.0.1:80", "127.0.0.2:13000", "10.9.0.1:80", "10.0.0.1:80", "192.168.1.1:443", "172.31.1.9:80", "[fd00::6]:2379", "[::1]:80",
		"198.51.100.8:80", "203.0.113.1:80", "203.0.113.1:7000", "[2600::1]:443", "[64:ff9b::808:808]:80",
	} {
		require.NoError(t, g.check(t.Context(), netip.MustParseAddrPort(to)), to)
	}
}

func TestEveryAddressOfThisMachineIsItsOwn(t *testing.T) {
	t.Parallel()
	g := guard{Sources: Sources{Own: []string{"[::]:7000"}}}
	here, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range here {
		p := netip.MustParsePrefix(a.String())
		require.ErrorIs(t, g.check(t.Context(), netip.AddrPortFrom(p.Addr(), 7000)), fault.Forbidden)
	}
	require.NoError(t, g.check(t.Context(), netip.MustParseAddrPort("203.0.113.9:7000")))
}

func TestWhatIsAllowedWinsOverEverything(t *testing.T) {
	t.Parallel()
	g := guarded(t, "10.0.0.0/8", "169.254.169.254:80,127.0.0.1:13000,10.0.0.0/16")
	for to, fine := range map[string]bool{
		"169.254.169.254:80": true, "169.254.169.254:81": false, "127.0.0.1:13000": true, "10.0.3.4:9": true, "10.1.0.1:9": false,
	} {
		require.Equal(t, fine, g.check(t.Context(), netip.MustParseAddrPort(to)) == nil, to)
	}
}

// If one namespace's networks were closed to all, anybody could hide a mirror from everybody.
func TestTheNetworksOfOthersHideNothing(t *testing.T) {
	t.Parallel()
	g := guarded(t, "", "")
	g.namespace = "neighbour"
	require.NoError(t, g.check(t.Context(), netip.MustParseAddrPort("10.7.0.200:80")))
}

func TestANameOfTheStoreThatMeansNothingMightMeanAnything(t *testing.T) {
	t.Parallel()
	g := guard{Sources: Sources{Own: []string{"bad name:2379"}}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, g.check(ctx, netip.MustParseAddrPort("10.0.0.1:2379")), fault.Unavailable)
	require.NoError(t, g.check(ctx, netip.MustParseAddrPort("10.0.0.1:2380")))
}

func TestRangesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"x", "0", "70000", "10.0.0.0/33", "10.0.0.1:0", "fe80::1%eth0", "::ffff:10.0.0.0/104", "1.2.3.4,,x"} {
		_, err := ParseRanges(text)
		require.ErrorIs(t, err, fault.Invalid, text)
	}
	ranges, err := ParseRanges(" 10.1.2.3/8 ,, [fd00::1]:80,80")
	require.NoError(t, err)
	require.Equal(t, []Range{
		{Prefix: netip.MustParsePrefix("10.0.0.0/8")}, {Prefix: netip.MustParsePrefix("fd00::1/128"), Port: 80}, {Port: 80},
	}, ranges)
}

// FuzzGuard: in whatever form an address comes, link-local ones are refused and nothing panics.
func FuzzGuard(f *testing.F) {
	f.Add("169.254.1.1", uint16(80))
	f.Add("::ffff:a9fe:1", uint16(1))
	g := guard{Sources: Sources{Own: []string{"127.0.0.1:13000"}}}
	f.Fuzz(func(t *testing.T, host string, port uint16) {
		err := g.checkText(t.Context(), net.JoinHostPort(host, strconv.Itoa(int(port))))
		a, parsed := netip.ParseAddr(host)
		if parsed == nil && a.Unmap().IsLinkLocalUnicast() {
			require.ErrorIs(t, err, fault.Forbidden)
		}
	})
}
