package configdrive_test

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist/configdrive"
)

// openstackNetwork has the properties that OpenStack's schema of network_data.json knows, and "name" and "search", which
// cloud-init takes besides. Anything else fails to decode.
type openstackNetwork struct {
	Links []struct {
		ID, Name, Type string
		VIFID          string `json:"vif_id"`
		MAC            string `json:"ethernet_mac_address"`
		MTU            int
	}
	Networks []struct {
		ID, Link, Type string
		NetworkID      string `json:"network_id"`
		Address        string `json:"ip_address"`
		Netmask        string
		Routes         []struct{ Network, Netmask, Gateway string }
	}
	Services []struct {
		Type, Address string
		Search        []string
	}
}

func networkData(t testing.TB, image []byte) openstackNetwork {
	t.Helper()
	files, _ := read(t, image)
	text := files["/openstack/latest/network_data.json"]
	var n openstackNetwork
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, key := range []string{"links", "networks", "services"} {
		if !strings.Contains(text, `"`+key+`": [`) {
			t.Errorf("%s is not a list in\n%s", key, text)
		}
	}
	return n
}

// checkSchema asserts what OpenStack's schema demands, and that what refers to something finds it.
func checkSchema(t testing.TB, n openstackNetwork) {
	t.Helper()
	links := map[string]bool{}
	for _, l := range n.Links {
		if mac, err := net.ParseMAC(l.MAC); err != nil || len(mac) != 6 || l.Type != "vif" || l.ID == "" || l.MTU < 1 {
			t.Errorf("bad link %+v", l)
		}
		links[l.ID] = true
	}
	routes := map[string]int{}
	for _, w := range n.Networks {
		address, err := netip.ParseAddr(w.Address)
		mask, maskErr := netip.ParseAddr(w.Netmask)
		if err != nil || maskErr != nil || address.BitLen() != mask.BitLen() || !links[w.Link] || w.NetworkID == "" {
			t.Fatalf("bad network %+v", w)
		}
		if want := map[int]string{32: "ipv4", 128: "ipv6"}[address.BitLen()]; w.Type != want {
			t.Errorf("%s is of type %s", w.Address, w.Type)
		}
		ones, bits := net.IPMask(mask.AsSlice()).Size()
		if bits == 0 {
			t.Errorf("netmask %s has holes", w.Netmask)
		}
		for _, r := range w.Routes {
			gateway, err := netip.ParseAddr(r.Gateway)
			if err != nil || !netip.PrefixFrom(address, ones).Masked().Contains(gateway) {
				t.Errorf("gateway %s cannot be reached from %s/%d", r.Gateway, w.Address, ones)
			}
			if r.Network != r.Netmask || !netip.MustParseAddr(r.Network).IsUnspecified() {
				t.Errorf("route %+v is no default route", r)
			}
			routes[w.Type]++
		}
	}
	if routes["ipv4"] > 1 || routes["ipv6"] > 1 {
		t.Errorf("default routes: %v", routes)
	}
	for _, s := range n.Services {
		if _, err := netip.ParseAddr(s.Address); err != nil || s.Type != "dns" {
			t.Errorf("bad service %+v", s)
		}
	}
}

func TestNetworkDataIsOpenStacks(t *testing.T) {
	t.Parallel()
	n := networkData(t, build(t, full()))
	checkSchema(t, n)
	if len(n.Links) != 4 || len(n.Networks) != 3 || len(n.Services) != 2 {
		t.Errorf("%d links, %d networks, %d services, want 4, 3, 2", len(n.Links), len(n.Networks), len(n.Services))
	}
	checkSchema(t, networkData(t, build(t, bare())))
}

func TestTheDefaultRouteGoesByTheFirstInterfaceThatHasOne(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func([]configdrive.Interface) // of the interfaces 0 (no address), 1, 2, 3 (IPv6)
		routes map[string]string             // gateway by the name of the link
	}{
		{
			"the first interface has no address", func([]configdrive.Interface) {},
			map[string]string{"eth1": "10.0.0.1", "eth3": "fd00:1::1"},
		},
		{
			"the first interface with an address has no way out",
			func(i []configdrive.Interface) { i[1].Gateway = netip.Addr{} },
			map[string]string{"eth2": "192.168.4.1", "eth3": "fd00:1::1"},
		},
		{
			"nothing has an address",
			func(all []configdrive.Interface) {
				for i := range all {
					all[i].Address, all[i].Gateway = netip.Prefix{}, netip.Addr{}
				}
			},
			map[string]string{},
		},
		{
			"the order decides, not the place in the list",
			func(i []configdrive.Interface) { i[1].Order, i[2].Order = 7, 1 },
			map[string]string{"eth1": "192.168.4.1", "eth3": "fd00:1::1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := full()
			i := d.Interfaces
			i[0], i[1], i[2] = i[1], i[2], i[0]
			tt.change(i)
			n := networkData(t, build(t, d))
			checkSchema(t, n)
			names, got := map[string]string{}, map[string]string{}
			for _, l := range n.Links {
				names[l.ID] = l.Name
			}
			for _, w := range n.Networks {
				for _, r := range w.Routes {
					got[names[w.Link]] = r.Gateway
				}
			}
			if len(got) != len(tt.routes) {
				t.Errorf("routes are %v, want %v", got, tt.routes)
			}
			for link, gateway := range tt.routes {
				if got[link] != gateway {
					t.Errorf("route by %s is %q, want %q", link, got[link], gateway)
				}
			}
		})
	}
}
