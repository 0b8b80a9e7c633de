package server

import (
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/node"
	"net/http"
)

// nodeRoutes are the routes of nodes.
func (s *server) nodeRoutes() []route {
	return []route{
		{method: http.MethodGet, pattern: api.PathNodes, who: admin, handle: s.listNodes},
		{method: http.MethodGet, pattern: api.PathNode, who: admin, handle: s.onNode(s.showNode)},
		{method: http.MethodGet, pattern: api.PathNodeEvents, who: admin, handle: s.onNode(s.nodeEvents), args: eventArgs},
	}
}

func (s *server) onNode(f func(*call, node.Node) (any, error)) handler {
	return func(c *call) (any, error) {
		n, err := s.cloud.Nodes.Get(c.Context(), c.PathValue("node"))
		if err != nil {
			return nil, err
		}
		return f(c, n)
	}
}

func (s *server) listNodes(c *call) (any, error) {
	list := s.cloud.Nodes.List(c.Context())
	views := make(api.List[api.Node], len(list))
	for i, n := range list {
		views[i] = s.nodeView(n)
	}
	return views, nil
}

func (s *server) showNode(_ *call, n node.Node) (any, error) { return s.nodeView(n), nil }

func (s *server) nodeEvents(c *call, n node.Node) (any, error) { return s.events(c, "node", n.Name) }

func (s *server) nodeView(n node.Node) api.Node {
	ip := n.MeshIP
	if ip == "" {
		ip = "127.0.0.1" // a node that is alone
	}
	// Every node records events and cleans up after itself, so those roles are nobody's in particular.
	lives := n.State == node.Created
	return api.Node{
		UUID: n.Name, Name: n.Name, IP: ip, State: string(n.State), LastSeen: api.At(n.LastSeen), Release: n.Release,
		Version: api.NodeVersion, Metadata: s.cloud.Metadata.Of("node", n.Name), IsEtcdMaster: lives, IsHypervisor: n.IsHypervisor,
		IsNetworkNode: n.IsNetworkNode, IsEventLogNode: lives, IsClusterMaintainer: lives,
	}
}
