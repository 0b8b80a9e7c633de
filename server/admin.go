package server

import (
	"log/slog"
	"math"
	"net/http"
	"strings"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/node"
)

// adminRoutes are the routes of the cloud as a whole.
func (s *server) adminRoutes() []route {
	return []route{
		{
			method: http.MethodGet, pattern: api.PathLocks, who: admin, handle: s.showLocks,
			summary: "list what daemons hold and work on", out: map[string]api.Lock{},
		},
		{
			method: http.MethodGet, pattern: api.PathCACert, who: anybody, handle: s.showCACert,
			summary: "read the certificate of the authority behind consoles", out: media("text/plain"),
		},
		{
			method: http.MethodGet, pattern: api.PathResources, who: admin, handle: s.showResources,
			summary: "show what the cloud can still give", out: api.Resources{},
		},
	}
}

// lockPrefix begins the names of all locks. There are none inside: these are leases, and work that is under way, in the shape
// in which clients have always been shown who holds what.
const lockPrefix = "/sflocks/sf/"

// locks gathers what is held, by name.
type locks struct {
	pids map[string]int // of the daemons that are alive, by node
	held map[string]api.Lock
}

// add notes what a node does. A node that is not alive does nothing.
func (l locks) add(name, node, operation string) {
	if pid, alive := l.pids[node]; alive {
		l.held[lockPrefix+name] = api.Lock{Node: node, PID: pid, Operation: operation}
	}
}

// showLocks reads memory only.
func (s *server) showLocks(c *call) (any, error) {
	l := locks{pids: map[string]int{}, held: map[string]api.Lock{}}
	for _, n := range s.cloud.Nodes.List(c.Context()) {
		if lives(n) {
			l.pids[n.Name] = n.PID
			l.add("node/"+n.Name, n.Name, "speak for the node")
		}
	}
	l.add("cluster/", s.cloud.Nodes.Maintainer(), "see to nodes that are gone")
	for _, i := range s.cloud.Instances.List(c.Context(), instance.Filter{}) {
		switch i.State {
		case instance.Initial, instance.Creating:
			l.add("instance/"+i.ID, i.Node, "create")
		case instance.DeleteWait:
			l.add("instance/"+i.ID, i.Node, "delete")
		case instance.Created, instance.Deleted, instance.Error:
		}
	}
	for _, n := range s.cloud.Networks.List(c.Context(), network.Filter{}) {
		switch n.State {
		case network.Initial:
			l.add("network/"+n.ID, n.Node, "create")
		case network.DeleteWait:
			l.add("network/"+n.ID, n.Node, "delete")
		case network.Created, network.Deleted, network.Error:
		}
	}
	for _, a := range s.cloud.Artifacts.List(c.Context(), c.namespace) {
		if a.Fetching != "" {
			l.add("artifact/"+a.ID, a.Fetching, "fetch")
		}
	}
	return l.held, nil
}

// lives reports whether a process speaks for a node.
func lives(n node.Node) bool { return n.State == node.Created || n.State == node.Stopping }

// showResources tells of promises: what instances may take, whether they do or not. Only the load is what it is.
func (s *server) showResources(c *call) (any, error) {
	all := api.Resources{PerNode: map[string]api.NodeResources{}}
	for _, n := range s.cloud.Nodes.List(c.Context()) {
		if n.State != node.Created || !n.IsHypervisor || n.Down != "" {
			continue
		}
		figures, err := s.cloud.Figures(c.Context(), n.Name)
		if err != nil {
			return nil, err
		}
		r := resourcesOf(n, s.cloud.Instances.ShareOf(c.Context(), n), figures)
		all.PerNode[n.Name] = r
		all.Total.CPUAvailable += r.CPUAvailable
		all.Total.RAMAvailable += r.RAMAvailable
	}
	return all, nil
}

func resourcesOf(n node.Node, share instance.Share, figures shakenfist.Figures) api.NodeResources {
	room := share.Room
	r := api.NodeResources{
		CPUMaxPerInstance: n.MaxVCPUs, CPUAvailable: whole(room.VCPUs),
		CPULoad1: api.Float(figures.Number("cpu_load_1")), CPULoad5: api.Float(figures.Number("cpu_load_5")),
		CPULoad15:         api.Float(figures.Number("cpu_load_15")),
		RAMMaxPerInstance: whole(room.MemoryMax), RAMMax: whole(room.MemoryLimit), RAMAvailable: whole(room.MemoryMiB),
		DiskAvailable: whole(room.DiskGiB), InstancesTotal: whole(share.Committed.Instances), InstancesActive: share.Active,
	}
	if r.CPUMaxPerInstance == 0 { // the hypervisor names no limit
		r.CPUMaxPerInstance = whole(room.VCPULimit)
	}
	return r
}

// whole is n as an int, that every client can read. More than that is more than anybody will ask for.
func whole(n int64) int { return int(min(n, math.MaxInt32)) }

// showCACert answers with an empty body if there is no certificate. One that can't be read is the operator's business.
func (s *server) showCACert(c *call) (any, error) {
	pem, err := certificates(s.caCert)
	if err != nil {
		s.log.WarnContext(c.Context(), "consoles are shown without a certificate of their authority", slog.String("file", s.caCert), slog.Any("error", err))
	}
	return raw{contentType: "text/plain", body: pem}, nil
}

// processMetrics answers with floats only: clients take them apart by the names of the keys.
func (s *server) processMetrics(c *call, n node.Node) (any, error) {
	processes, err := s.cloud.Processes(c.Context(), n.Name)
	if err != nil {
		return nil, err
	}
	view := map[string]api.Float{}
	for name := range processes {
		if strings.HasPrefix(name, "process_") {
			view[name] = api.Float(processes.Number(name))
		}
	}
	return view, nil
}
