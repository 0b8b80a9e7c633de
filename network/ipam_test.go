package network_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network"
)

func TestParseBlock(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		refused    string // what follows "cannot parse netblock: "; "" if accepted
	}{
		{"the usual", "10.0.0.0/24", ""},
		{"the smallest", "192.168.1.8/29", ""},
		{"the largest", "10.0.0.0/8", ""},
		{"shared address space of carriers", "100.64.0.0/10", ""},
		{"nothing", "", `"" is not an address and a length; write it as 10.0.0.0/24`},
		{"words", "my network", `"my network" is not an address and a length; write it as 10.0.0.0/24`},
		{"an octet too large", "10.0.0.256/24", `"10.0.0.256/24" is not an address and a length; write it as 10.0.0.0/24`},
		{"a leading zero", "10.0.0.00/24", `"10.0.0.00/24" is not an address and a length; write it as 10.0.0.0/24`},
		{"a length too large", "10.0.0.0/33", `"10.0.0.0/33" is not an address and a length; write it as 10.0.0.0/24`},
		{"a netmask", "10.0.0.0/255.255.255.0", `"10.0.0.0/255.255.255.0" is not an address and a length; write it as 10.0.0.0/24`},
		{"an address alone", "10.0.0.0", "10.0.0.0 has no length; write it as 10.0.0.0/24"},
		{"host bits", "10.0.0.77/24", "10.0.0.77/24 has host bits set; write 10.0.0.0/24"},
		{"too small", "10.0.0.0/30", "10.0.0.0/30 has 4 of the 8 addresses that a network needs; the smallest block is a /29"},
		{"one address", "10.0.0.0/32", "10.0.0.0/32 has 1 of the 8 addresses that a network needs; the smallest block is a /29"},
		{"too large", "10.0.0.0/7", "10.0.0.0/7 is too large; the largest block is a /8"},
		{"the internet", "0.0.0.0/0", "0.0.0.0/0 is too large; the largest block is a /8"},
		{"IPv6", "fd00::/64", "fd00::/64 is not IPv4, the only kind there is today"},
		{"IPv4 in IPv6", "::ffff:10.0.0.0/120", "::ffff:10.0.0.0/120 is not IPv4, the only kind there is today"},
		{
			"loopback", "127.0.1.0/24", "127.0.1.0/24 overlaps 127.0.0.0/8, which is for loopback; " +
				"use a block of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
		},
		{"no address", "0.0.0.0/24", "0.0.0.0/24 overlaps 0.0.0.0/8"},
		{"multicast", "239.1.0.0/16", "239.1.0.0/16 overlaps 224.0.0.0/4"},
		{"around link-local", "169.0.0.0/8", "169.0.0.0/8 overlaps 169.254.0.0/16"},
		{"broadcast", "255.255.255.0/24", "255.255.255.0/24 overlaps 240.0.0.0/4"},
		{"a long text", strings.Repeat("1", 65), "it is 65 characters long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			block, err := network.ParseBlock(tt.text)
			if tt.refused == "" {
				if err != nil || block.String() != tt.text {
					t.Errorf("got %s, %v", block, err)
				}
				return
			}
			if fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(fault.Text(err), "cannot parse netblock: "+tt.refused) {
				t.Errorf("got %s, %v", block, err)
			}
		})
	}
}

func TestAddressesOfABlock(t *testing.T) {
	t.Parallel()
	tests := []struct {
		block, router, broadcast string
		size                     uint64
	}{
		{"10.0.0.0/24", "10.0.0.1", "10.0.0.255", 256},
		{"10.0.0.8/29", "10.0.0.9", "10.0.0.15", 8},
		{"10.0.0.0/8", "10.0.0.1", "10.255.255.255", 1 << 24},
		{"fd00::/64", "fd00::1", "fd00::7fff:ffff:ffff:ffff", 1 << 63}, // half of it is enough for anybody
		{"fd00::/120", "fd00::1", "fd00::ff", 256},
	}
	for _, tt := range tests {
		b := netip.MustParsePrefix(tt.block)
		if r, l, s := network.Router(b).String(), network.Broadcast(b).String(), network.Size(b); r != tt.router ||
			l != tt.broadcast || s != tt.size {
			t.Errorf("%s: router %s, broadcast %s, %d addresses", b, r, l, s)
		}
	}
}

func TestAnAddressAskedFor(t *testing.T) {
	t.Parallel()
	block := netip.MustParsePrefix("10.0.0.0/24")
	tests := []struct {
		name, text string
		kind       fault.Kind // "" if accepted
		errorText  string
	}{
		{"the first", "10.0.0.2", "", ""},
		{"the last", "10.0.0.254", "", ""},
		{"outside", "10.0.1.2", fault.Invalid, "address 10.0.1.2 is not in the network's block 10.0.0.0/24"},
		{"another family", "fd00::2", fault.Invalid, "address fd00::2 is not in the network's block 10.0.0.0/24"},
		{"no address", "router", fault.Invalid, `"router" is not an IP address`},
		{
			"the router's", "10.0.0.1", fault.Conflict,
			"address 10.0.0.1 is in use by the network itself; 10.0.0.2 to 10.0.0.254 are for instances",
		},
		{
			"broadcast", "10.0.0.255", fault.Conflict,
			"address 10.0.0.255 is in use by the network itself; 10.0.0.2 to 10.0.0.254 are for instances",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr, err := network.ParseAddress(block, tt.text)
			if tt.kind == "" {
				if err != nil || addr.String() != tt.text {
					t.Errorf("got %s, %v", addr, err)
				}
			} else if fault.KindOf(err) != tt.kind || fault.Text(err) != tt.errorText {
				t.Errorf("got %s, %v: %s", addr, fault.KindOf(err), fault.Text(err))
			}
		})
	}
}

// checkAllocation fills a block and asserts that every address is handed out exactly once, and no reserved one.
func checkAllocation(t *rapid.T, block netip.Prefix, rng *rand.Rand) {
	used := map[netip.Addr]bool{}
	taken := func(a netip.Addr) bool { return used[a] }
	usable := network.Size(block) - 3
	for range usable {
		a, err := network.Pick(block, taken, rng)
		switch {
		case err != nil:
			t.Fatalf("%d of %d handed out: %v", len(used), usable, err)
		case used[a]:
			t.Fatalf("%s was handed out twice", a)
		case !block.Contains(a) || network.Reserved(block, a):
			t.Fatalf("%s was handed out of %s", a, block)
		}
		used[a] = true
	}
	if a, err := network.Pick(block, taken, rng); fault.KindOf(err) != fault.Exhausted {
		t.Fatalf("a full block gave %s, %v", a, err)
	}
}

func drawBlock(t *rapid.T) netip.Prefix {
	if rapid.Bool().Draw(t, "v6") {
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")
		return netip.PrefixFrom(netip.AddrFrom16([16]byte(b)), rapid.IntRange(118, 125).Draw(t, "length")).Masked()
	}
	b := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(b)), rapid.IntRange(22, 29).Draw(t, "length")).Masked()
}

func TestABlockHandsOutEveryAddressOnceAndNoReservedOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		checkAllocation(t, drawBlock(t), rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
	})
}

func TestTheLastFreeAddressIsFoundWithOneLookAtEach(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"10.0.0.0/29", "10.0.0.0/24", "10.0.0.0/16"} {
		block := netip.MustParsePrefix(text)
		last := network.Broadcast(block).Prev()
		looks := uint64(0)
		a, err := network.Pick(block, func(a netip.Addr) bool { looks++; return a != last }, nil)
		if err != nil || a != last {
			t.Errorf("%s: got %s, %v", block, a, err)
		}
		if looks > network.Size(block)+8 {
			t.Errorf("%s: %d looks", block, looks)
		}
	}
}

func TestTheSameSeedPicksTheSameAddress(t *testing.T) {
	t.Parallel()
	block := netip.MustParsePrefix("10.0.0.0/16")
	free := func(netip.Addr) bool { return false }
	pick := func(seed uint64) netip.Addr {
		a, err := network.Pick(block, free, rand.New(rand.NewPCG(seed, 0)))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first, again, other := pick(1), pick(1), pick(2)
	if first != again || first == other {
		t.Errorf("seeds 1, 1, 2 gave %s, %s, %s", first, again, other)
	}
}

func TestABlockWithoutRoomForAnInstanceIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"10.0.0.0/31", "10.0.0.0/32", "::/128"} {
		a, err := network.Pick(netip.MustParsePrefix(text), func(netip.Addr) bool { return false }, nil)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %s, %v", text, a, err)
		}
	}
}

func TestMACAddresses(t *testing.T) {
	t.Parallel()
	ours := regexp.MustCompile(`^02:00:00(:[0-9a-f]{2}){3}$`)
	seen := map[string]bool{}
	for range 1000 {
		mac := network.NewMAC(nil)
		again, err := network.ParseMAC(mac)
		if !ours.MatchString(mac) || err != nil || again != mac {
			t.Fatalf("got %q, parsed as %q, %v", mac, again, err)
		}
		seen[mac] = true
	}
	if len(seen) < 990 {
		t.Errorf("1000 random addresses are %d different ones", len(seen))
	}
	tests := []struct{ name, text, want, refused string }{
		{"upper case", "02:00:00:EA:3A:28", "02:00:00:ea:3a:28", ""},
		{"hyphens", "52-54-00-ab-cd-ef", "52:54:00:ab:cd:ef", ""},
		{"Cisco's dots", "5254.00ab.cdef", "52:54:00:ab:cd:ef", ""},
		{"nothing", "", "", `"" is not a MAC address; write it as 02:00:00:ea:3a:28`},
		{"eight bytes", "02:00:5e:10:00:00:00:01", "", `"02:00:5e:10:00:00:00:01" is not a MAC address`},
		{"XML", "02:00:00:ea:3a:28'/>", "", `"02:00:00:ea:3a:28'/>" is not a MAC address`},
		{"multicast", "01:00:5e:00:00:01", "", `"01:00:5e:00:00:01" is a multicast address; the first byte must be even`},
		{"broadcast", "ff:ff:ff:ff:ff:ff", "", `"ff:ff:ff:ff:ff:ff" is a multicast address`},
		{"zero", "00:00:00:00:00:00", "", `"00:00:00:00:00:00" is no interface's address`},
		{"libvirt's own", "fe:00:00:00:00:01", "", `"fe:00:00:00:00:01" begins with fe`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := network.ParseMAC(tt.text)
			if got != tt.want || (tt.refused == "") != (err == nil) {
				t.Errorf("got %q, %v", got, err)
			}
			if err != nil && (fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(fault.Text(err), "macaddress "+tt.refused)) {
				t.Errorf("error is %v: %s", fault.KindOf(err), fault.Text(err))
			}
		})
	}
}

func FuzzParseBlock(f *testing.F) {
	for _, s := range []string{"10.0.0.0/24", "10.0.0.1/24", "fd00::/64", "169.254.0.0/16", "::ffff:1.2.3.4/120", "1/2/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		block, err := network.ParseBlock(text)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(fault.Text(err), "cannot parse netblock: ") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if block != block.Masked() || network.Size(block) < 8 || network.Size(block) > 1<<24 {
			t.Fatalf("%q became %s", text, block)
		}
		a, err := network.Pick(block, func(netip.Addr) bool { return false }, nil)
		if err != nil || !block.Contains(a) || !a.IsGlobalUnicast() {
			t.Fatalf("%s gave %s, %v", block, a, err)
		}
		if again, err := network.ParseAddress(block, a.String()); err != nil || again != a {
			t.Fatalf("%s was refused when asked for: %v", a, err)
		}
	})
}

func FuzzParseMAC(f *testing.F) {
	for _, s := range []string{"02:00:00:ea:3a:28", "02-00-00-EA-3A-28", "0200.00ea.3a28", "fe:ff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mac, err := network.ParseMAC(text)
		if err != nil {
			return
		}
		if again, err := network.ParseMAC(mac); err != nil || again != mac {
			t.Fatalf("%q became %q became %q, %v", text, mac, again, err)
		}
		if b, err := net.ParseMAC(mac); err != nil || len(b) != 6 || b[0]&1 != 0 {
			t.Fatalf("%q became %q", text, mac)
		}
	})
}

func BenchmarkPick(b *testing.B) {
	for _, text := range []string{"10.0.0.0/29", "10.0.0.0/16"} {
		block := netip.MustParsePrefix(text)
		for _, free := range []int{100, 50, 1} { // per cent; the walk starts below that
			b.Run(fmt.Sprintf("%s with %d per cent free", text, free), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 1))
				used := map[netip.Addr]bool{}
				for range int(network.Size(block)-3) * (100 - free) / 100 {
					a, err := network.Pick(block, func(a netip.Addr) bool { return used[a] }, rng)
					if err != nil {
						b.Fatal(err)
					}
					used[a] = true
				}
				for b.Loop() {
					if _, err := network.Pick(block, func(a netip.Addr) bool { return used[a] }, rng); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func ExamplePick() {
	block, err := network.ParseBlock("10.0.0.0/29")
	if err != nil {
		fmt.Println(fault.Text(err))
		return
	}
	used := map[string]bool{"10.0.0.2": true, "10.0.0.3": true, "10.0.0.4": true, "10.0.0.6": true}
	addr, err := network.Pick(block, func(a netip.Addr) bool { return used[a.String()] }, nil)
	fmt.Println(addr, err, "by way of", network.Router(block))
	// Output: 10.0.0.5 <nil> by way of 10.0.0.1
}
