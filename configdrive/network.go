package configdrive

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// networkData is the content of network_data.json, in the format of OpenStack (nova, network_data.json schema).
type networkData struct {
	Links    []link    `json:"links"`
	Networks []network `json:"networks"`
	Services []service `json:"services"`
}

type link struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	VIFID string `json:"vif_id"`
	MAC   string `json:"ethernet_mac_address"`
	MTU   int    `json:"mtu"`
}

type network struct {
	ID        string  `json:"id"`
	NetworkID string  `json:"network_id"`
	Link      string  `json:"link"`
	Type      string  `json:"type"` // "ipv4" or "ipv6"
	IPAddress string  `json:"ip_address"`
	Netmask   string  `json:"netmask"`
	Routes    []route `json:"routes"`
}

type route struct {
	Network string `json:"network"`
	Netmask string `json:"netmask"`
	Gateway string `json:"gateway"`
}

type service struct {
	Type    string   `json:"type"`
	Address string   `json:"address"`
	Search  []string `json:"search,omitempty"`
}

// networkData describes d's interfaces, which are in their order.
func (d Drive) networkData() networkData {
	n := networkData{Links: []link{}, Networks: []network{}, Services: services(d.Resolvers)}
	routed := map[string]bool{} // address families that have a default route
	for _, i := range d.Interfaces {
		n.Links = append(n.Links, link{
			ID: i.ID, Name: "eth" + strconv.Itoa(i.Order), Type: "vif", VIFID: i.ID, MAC: i.MAC, MTU: i.MTU,
		})
		if !i.Address.IsValid() {
			continue
		}
		family, nowhere := "ipv4", netip.IPv4Unspecified()
		if i.Address.Addr().Is6() {
			family, nowhere = "ipv6", netip.IPv6Unspecified()
		}
		routes := []route{}
		if i.Gateway.IsValid() && !routed[family] {
			routed[family] = true
			routes = append(routes, route{
				Network: nowhere.String(), Netmask: nowhere.String(), Gateway: i.Gateway.String(),
			})
		}
		n.Networks = append(n.Networks, network{
			ID: i.NetworkID + "-" + strconv.Itoa(i.Order), NetworkID: i.NetworkID, Link: i.ID, Type: family,
			IPAddress: i.Address.Addr().String(), Netmask: netmask(i.Address), Routes: routes,
		})
	}
	return n
}

// services lists each DNS server once, where it comes first, with all its search domains.
func services(resolvers []Resolver) []service {
	all := []service{}
	for _, r := range resolvers {
		address := r.Address.String()
		i := slices.IndexFunc(all, func(s service) bool { return s.Address == address })
		if i < 0 {
			i = len(all)
			all = append(all, service{Type: "dns", Address: address})
		}
		for _, domain := range r.Search {
			if !slices.Contains(all[i].Search, domain) {
				all[i].Search = append(all[i].Search, domain)
			}
		}
	}
	return all
}

// netmask is the length of p written as an address.
func netmask(p netip.Prefix) string {
	return net.IP(net.CIDRMask(p.Bits(), p.Addr().BitLen())).String()
}
