package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network"
)

// networkRoutes are the routes of networks.
func (s *server) networkRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathNetworks, who: anybody, handle: s.listNetworks, args: listArgs,
			summary: "list networks", out: api.List[api.Network]{},
		},
		{
			method: http.MethodPost, pattern: api.PathNetworks, who: anybody, handle: s.createNetwork, args: createNetworkArgs,
			summary: "create a network", out: api.Network{}, errs: []int{http.StatusNotFound, http.StatusConflict, http.StatusInsufficientStorage},
		},
		{
			method: http.MethodGet, pattern: api.PathNetwork, who: owner, handle: s.onNetwork(s.showNetwork), args: namespaceArgs,
			summary: "show a network", out: api.Network{},
		},
		{
			method: http.MethodDelete, pattern: api.PathNetwork, who: owner, handle: unlessFloating(s.onNetwork(s.deleteNetwork)), args: namespaceArgs,
			summary: "delete a network, once nothing is on it", out: either{api.Network{}, nil}, errs: []int{http.StatusForbidden, http.StatusConflict},
		},
		{
			method: http.MethodGet, pattern: api.PathNetworkEvents, who: owner, handle: s.onNetwork(s.networkEvents), args: eventArgs,
			summary: "list what happened to a network", out: api.List[api.Event]{},
		},
		{
			method: http.MethodGet, pattern: api.PathNetworkInterfaces, who: owner, handle: s.onNetwork(s.networkInterfaces),
			summary: "list the interfaces on a network", out: api.List[api.Interface]{},
		},
		{
			method: http.MethodGet, pattern: api.PathNetworkAddresses, who: owner, handle: s.onNetwork(s.networkAddresses),
			summary: "list the addresses of a network that are not free", out: api.List[api.Reservation]{},
		},
	}
}

// onNetwork finds the network in the path, by UUID or name, if the caller owns it.
func (s *server) onNetwork(f func(*call, network.Network) (any, error)) handler {
	return func(c *call) (any, error) {
		n, err := s.cloud.Networks.Find(c.Context(), c.scope(), c.PathValue("ref"))
		if err != nil {
			return nil, err
		}
		if err := c.mustBeIn("network", n.Namespace); err != nil {
			return nil, err
		}
		return f(c, n)
	}
}

// listArgs are what the lists of instances and networks take.
var listArgs = []arg{{name: "all", kind: argBool, doc: "deleted ones too; absent: false"}}

func (s *server) listNetworks(c *call) (any, error) {
	list := s.cloud.Networks.List(c.Context(), network.Filter{Namespace: c.owned(), All: c.args.flag("all", false)})
	views := make(api.List[api.Network], len(list))
	for i, n := range list {
		views[i] = s.networkView(n)
	}
	return views, nil
}

var createNetworkArgs = []arg{
	{name: "netblock", kind: argText, must: true, doc: "IPv4 CIDR, /29 or larger, without host bits", example: "10.0.0.0/24"},
	{name: "name", kind: argText, empty: true, doc: "need not be unique", example: "lan"},
	{name: "provide_dhcp", kind: argBool, doc: "absent: true"},
	{name: "provide_nat", kind: argBool, doc: "absent: true"},
	{name: "provide_dns", kind: argBool, doc: "absent: false"},
	{name: "namespace", kind: argText, empty: true, doc: "absent: the caller's; another one only for system"},
}

func (s *server) createNetwork(c *call) (any, error) {
	owner := c.args.text("namespace")
	if owner == "" {
		owner = c.namespace
	}
	if owner != c.namespace && c.namespace != namespace.System {
		return nil, fault.New("server.createNetwork", fault.Unauthorized, "",
			"unauthorized: only the system namespace creates networks in other namespaces")
	}
	n, err := s.cloud.Networks.Create(c.Context(), network.Spec{
		Name: c.args.text("name"), Namespace: owner, Netblock: c.args.text("netblock"),
		DHCP: c.args.flag("provide_dhcp", true), NAT: c.args.flag("provide_nat", true), DNS: c.args.flag("provide_dns", false),
	})
	if err != nil {
		return nil, err
	}
	return s.networkView(n), nil
}

func (s *server) showNetwork(_ *call, n network.Network) (any, error) { return s.networkView(n), nil }

// unlessFloating refuses to touch the network that floating addresses are of, which is the cloud's own and whose UUID is
// this word. Nobody but system may know that it is there.
func unlessFloating(f handler) handler {
	return func(c *call) (any, error) {
		if c.namespace == namespace.System && c.PathValue("ref") == "floating" {
			return nil, fault.New("server.unlessFloating", fault.Forbidden, "floating", "you cannot delete the floating network")
		}
		return f(c)
	}
}

func (s *server) deleteNetwork(c *call, n network.Network) (any, error) {
	if n.State == network.Deleted {
		return nil, nil
	}
	n, err := s.cloud.Networks.Delete(c.Context(), n.ID)
	if err != nil {
		return nil, err
	}
	return s.networkView(n), nil
}

func (s *server) networkEvents(c *call, n network.Network) (any, error) {
	return s.events(c, "network", n.ID)
}

func (s *server) networkInterfaces(c *call, n network.Network) (any, error) {
	return s.interfaceViews(s.cloud.Networks.Interfaces(c.Context(), n.ID)), nil
}

func (s *server) networkAddresses(c *call, n network.Network) (any, error) {
	list := s.cloud.Networks.Addresses(c.Context(), n.ID)
	views := make(api.List[api.Reservation], len(list))
	for i, r := range list {
		views[i] = reservationView(r)
	}
	return views, nil
}

func (s *server) networkView(n network.Network) api.Network {
	return api.Network{
		UUID: n.ID, Name: n.Name, Namespace: n.Namespace, Netblock: n.Netblock.String(),
		ProvideDHCP: n.DHCP, ProvideNAT: n.NAT, ProvideDNS: n.DNS, VXLANID: n.VXLAN, VXID: n.VXLAN,
		State: string(n.State), Metadata: s.cloud.Metadata.Of("network", n.ID), Version: api.NetworkVersion,
	}
}
