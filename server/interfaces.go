package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network"
)

// interfaceRoutes are the routes of interfaces.
func (s *server) interfaceRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathInterface, who: owner, handle: s.showInterface,
			summary: "show an interface", out: api.Interface{},
		},
	}
}

// findInterface finds the interface in the path for those who own both its network and its instance.
func (s *server) findInterface(c *call) (network.Interface, error) {
	i, err := s.cloud.Networks.Interface(c.Context(), c.PathValue("uuid"))
	if err != nil {
		return i, err
	}
	missing := fault.New("server.findInterface", fault.NotFound, i.ID, "interface not found")
	if _, err := s.cloud.Networks.Find(c.Context(), c.namespace, i.Network); err != nil {
		return i, missing
	}
	if _, err := s.cloud.Instances.Find(c.Context(), c.namespace, i.Instance); err != nil {
		return i, missing
	}
	return i, nil
}

func (s *server) showInterface(c *call) (any, error) {
	i, err := s.findInterface(c)
	if err != nil {
		return nil, err
	}
	return s.interfaceView(i), nil
}

func (s *server) interfaceViews(list []network.Interface) api.List[api.Interface] {
	views := make(api.List[api.Interface], len(list))
	for i, n := range list {
		views[i] = s.interfaceView(n)
	}
	return views
}

func (s *server) interfaceView(i network.Interface) api.Interface {
	v := api.Interface{
		UUID: i.ID, NetworkUUID: i.Network, InstanceUUID: i.Instance, MAC: i.MAC, Order: i.Order, Model: i.Model,
		State: string(i.State), Metadata: s.cloud.Metadata.Of("interface", i.ID), Version: api.InterfaceVersion,
	}
	if i.Address.IsValid() {
		v.IPv4 = optional(i.Address.String())
	}
	return v
}

func reservationView(r network.Reservation) api.Reservation {
	v := api.Reservation{Address: r.Address.String(), Type: string(r.Kind), When: api.At(r.When), Comment: r.Comment}
	if r.User != [2]string{} {
		v.User = r.User[:]
	}
	return v
}
