package server

import (
	"net/http"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/node"
)

// nodeRoutes are the routes of nodes.
func (s *server) nodeRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathNodes, who: admin, handle: s.listNodes,
			summary: "list nodes, deleted ones too", out: api.List[api.Node]{},
		},
		{
			method: http.MethodGet, pattern: api.PathNode, who: admin, handle: s.onNode(s.showNode),
			summary: "show a node", out: api.Node{},
		},
		{
			method: http.MethodDelete, pattern: api.PathNode, who: admin, handle: s.deleteNode,
			summary: "remove a node that will not come back, with what it ran", out: api.Node{}, errs: []int{http.StatusConflict},
		},
		{
			method: http.MethodGet, pattern: api.PathNodeEvents, who: admin, handle: s.onNode(s.nodeEvents), args: eventArgs,
			summary: "list what happened to a node, newest first", out: api.List[api.Event]{},
		},
		{
			method: http.MethodGet, pattern: api.PathNodeProcesses, who: admin, handle: s.onNode(s.processMetrics),
			summary: "show what a node's processes use", out: map[string]api.Float{},
		},
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

func (s *server) deleteNode(c *call) (any, error) {
	n, err := s.cloud.Nodes.Delete(c.Context(), c.PathValue("node"))
	if err != nil {
		return nil, err
	}
	return s.nodeView(n), nil
}

func (s *server) nodeEvents(c *call, n node.Node) (any, error) { return s.events(c, "node", n.Name) }

func (s *server) nodeView(n node.Node) api.Node {
	ip := n.MeshIP
	if ip == "" {
		ip = "127.0.0.1" // a node that is alone
	}
	// Every node records events and has the state, so those roles are nobody's in particular.
	return api.Node{
		UUID: n.Name, Name: n.Name, IP: ip, State: string(n.State), LastSeen: api.At(n.LastSeen), Release: n.Release,
		Version: api.NodeVersion, Metadata: s.cloud.Metadata.Of("node", n.Name), IsEtcdMaster: lives(n), IsHypervisor: n.IsHypervisor,
		IsNetworkNode: n.IsNetworkNode, IsEventLogNode: lives(n), IsClusterMaintainer: n.Name == s.cloud.Nodes.Maintainer(),
	}
}
