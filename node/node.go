// Package node keeps the machines of the cloud: who is alive, what each offers.
package node

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/reconcile"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// Inventory is what a node says of itself.
type Inventory struct {
	Release       string `json:"release"` // of this software
	Hypervisor    string `json:"hypervisor"`
	Accelerator   string `json:"accelerator"`
	Down          string `json:"down,omitempty"` // why the hypervisor can't take guests; "" if it can
	CPUs          int    `json:"cpus"`
	MemoryMiB     int    `json:"memory_mib"`
	MaxVCPUs      int    `json:"max_vcpus"`
	DiskTotal     int64  `json:"disk_total"` // bytes, of the file system that holds the cloud's files
	DiskFree      int64  `json:"disk_free"`  // bytes
	MTU           int    `json:"mtu"`        // largest of a tenant network
	MeshIP        string `json:"mesh_ip"`    // "" if the node is alone
	IsHypervisor  bool   `json:"is_hypervisor"`
	IsNetworkNode bool   `json:"is_network_node"`
}

// Node is a machine of the cloud.
type Node struct {
	Name     string
	State    State
	LastSeen time.Time
	PID      int // of the process that speaks for it; 0 while none does
	Inventory
}

// record is a node in the store. The node itself writes it, and after it is gone whoever deletes it.
type record struct {
	State     State     `json:"state"`
	Changed   time.Time `json:"changed"`
	Inventory Inventory `json:"inventory"`
	Cleared   bool      `json:"cleared,omitempty"` // it is Deleted, and what it held was given back
}

// alive is the record under the node's lease: while it exists the node lives.
type alive struct {
	Since time.Time `json:"since"`
	PID   int       `json:"pid,omitempty"`
}

// Manager keeps the nodes, and this process's own node alive.
type Manager struct {
	deps  Deps
	rows  *view.Table[record]
	alive *view.Table[alive]
	look  chan struct{} // asks for a look at the inventory

	chores   reconcile.Loop
	onDelete []func(ctx context.Context, name string, gone store.Check) error // fixed before Chores

	mu       sync.Mutex
	fence    store.Revision // guarded by mu; of this process's alive key
	retiring bool           // guarded by mu; Retire was called
}

// Deps is what a manager needs.
type Deps struct {
	View   *view.View
	Events *event.Recorder
	Name   string // of this node
	// Inventory looks at this machine.
	Inventory func(ctx context.Context) Inventory
	TTL       time.Duration // of the lease; 0 means 10 s
	Resync    time.Duration // between looks at the inventory
	Linger    time.Duration // how long a deleted node can be read; 0 means 1 h
	Log       *slog.Logger  // nil discards
}

// New returns a manager whose tables are registered with the view.
func New(d Deps) *Manager {
	if d.TTL == 0 {
		d.TTL = 10 * time.Second
	}
	d.Linger = cmp.Or(d.Linger, time.Hour)
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))
	m := &Manager{
		deps: d, look: make(chan struct{}, 1),
		rows: view.NewTable[record](d.View, "node"), alive: view.NewTable[alive](d.View, "node-alive"),
	}
	m.chores = reconcile.Loop{
		Name: "nodes", Reconcile: m.clear, All: m.uncleared, Sweep: m.forget, Resync: d.Resync, Log: d.Log,
	}
	return m
}

// Name returns the name of this process's node.
func (m *Manager) Name() string { return m.deps.Name }

// Get returns a node. It fails with fault.NotFound.
func (m *Manager) Get(_ context.Context, name string) (Node, error) {
	row, ok := m.rows.Get(name)
	if !ok {
		return Node{}, errNotFound("node.Get", name)
	}
	return m.toNode(row), nil
}

func errNotFound(op, name string) error { return fault.New(op, fault.NotFound, name, "node not found") }

func about(name string) event.Object { return event.Object{Kind: "node", ID: name} }

// List returns every node, ascending by name.
func (m *Manager) List(context.Context) []Node {
	nodes := []Node{}
	for _, row := range m.rows.All() {
		nodes = append(nodes, m.toNode(row))
	}
	return nodes
}

func (m *Manager) toNode(row view.Row[record]) Node {
	n := Node{Name: row.ID, State: row.Value.State, LastSeen: row.Value.Changed, Inventory: row.Value.Inventory}
	process, lives := m.alive.Get(row.ID)
	switch {
	case lives:
		n.LastSeen, n.PID = time.Now(), process.Value.PID
	case n.State == Created, n.State == Stopping:
		n.State = Missing
	}
	return n
}

// Fence returns the check that this process still holds its node. Every write that speaks for the node carries it.
func (m *Manager) Fence() store.Check {
	m.mu.Lock()
	defer m.mu.Unlock()
	return store.At(m.alive.Key(m.deps.Name), m.fence)
}

// Look asks for a fresh look at the inventory, soon.
func (m *Manager) Look() {
	select {
	case m.look <- struct{}{}:
	default:
	}
}
