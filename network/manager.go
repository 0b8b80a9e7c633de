package network

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/internal/reconcile"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/store"
)

// Deps is what a manager needs.
type Deps struct {
	View       *view.View
	Events     *event.Recorder
	Namespaces *namespace.Manager
	Metadata   *metadata.Manager
	Nodes      *node.Manager
	Driver     netdriver.Driver
	Gateways   bool          // this node can hold gateways
	Zone       string        // last part of guests' domain names
	DNSServers []netip.Addr  // offered to guests of networks with NAT
	Halo       time.Duration // how long a released address rests
	Patience   time.Duration // how long a network may take to be made while faults pass
	Linger     time.Duration // how long a deleted network can be read
	Resync     time.Duration
	Log        *slog.Logger
}

type row = view.Row[record]

// Manager keeps the networks of the cloud and makes those that this node needs.
type Manager struct {
	Deps
	view       *view.View
	events     *event.Recorder
	rows       *view.Table[record]
	statuses   *view.Table[status]
	addresses  *view.Table[reservation]
	interfaces *view.Table[interfaceRecord]
	loop       reconcile.Loop
	random     *rand.Rand // guarded by randomMu
	randomMu   sync.Mutex

	mu       sync.Mutex
	applied  map[string]netdriver.Network // guarded by mu; by UUID: what the driver last confirmed on this node
	failing  map[string]time.Time         // guarded by mu; by UUID: since when making it fails
	problems map[string]error             // guarded by mu; by UUID: why making it failed last
	onUp     []func(instanceID string)    // fixed before Run
}

// New returns a manager whose tables are registered with the view.
func New(d Deps) *Manager {
	m := &Manager{
		Deps: d, view: d.View, events: d.Events,
		rows:       view.NewTable[record](d.View, "network"),
		statuses:   view.NewTable[status](d.View, "network-status"),
		addresses:  view.NewTable[reservation](d.View, "ipam"),
		interfaces: view.NewTable[interfaceRecord](d.View, "interface"),
		random:     rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), //nolint:gosec // spreads, does not protect
		applied:    map[string]netdriver.Network{}, failing: map[string]time.Time{}, problems: map[string]error{},
	}
	m.rows.Index("name", func(r row) []string {
		if r.Value.Name == "" {
			return nil // nobody finds what has no name by it
		}
		return []string{r.Value.Name}
	})
	m.rows.Index("namespace", func(r row) []string { return []string{r.Value.Namespace} })
	m.addresses.Index("network", func(r view.Row[reservation]) []string { return []string{networkOf(r.ID)} })
	m.addresses.Index("kind", func(r view.Row[reservation]) []string { return []string{string(r.Value.Kind)} })
	m.interfaces.Index("network", attached(func(r interfaceRecord) string { return r.Network }))
	m.interfaces.Index("instance", attached(func(r interfaceRecord) string { return r.Instance }))
	m.interfaces.Index("place", attached(func(r interfaceRecord) string { return place(r.Network, r.Node) }))
	m.loop = reconcile.Loop{
		Name: "networks", Reconcile: m.reconcile, All: m.ids, Sweep: m.sweep, Resync: d.Resync, Log: d.Log,
	}
	m.rows.OnChange(m.changed)
	m.interfaces.OnChange(func(id string) {
		if r, ok := m.interfaces.Get(id); ok {
			m.loop.Wake(r.Value.Network)
		}
	})
	return m
}

// attached finds interfaces that are not deleted.
func attached(by func(interfaceRecord) string) func(view.Row[interfaceRecord]) []string {
	return func(r view.Row[interfaceRecord]) []string {
		if r.Value.State == Deleted {
			return nil
		}
		return []string{by(r.Value)}
	}
}

// place is where some of a network's interfaces are.
func place(network, node string) string { return network + "/" + node }

// changed wakes the loop. The wish to delete cuts off whatever is being done for the network.
func (m *Manager) changed(id string) {
	if r, ok := m.rows.Get(id); ok && !r.Value.Deleted.IsZero() {
		m.loop.Interrupt(id)
		return
	}
	m.loop.Wake(id)
}

// OnUp has f called with the ID of an instance when a network of it came up, or failed to, on this node. It must be called
// before Run; f must not block.
func (m *Manager) OnUp(f func(instanceID string)) { m.onUp = append(m.onUp, f) }

// Run makes and keeps this node's networks until ctx ends.
func (m *Manager) Run(ctx context.Context) { m.loop.Run(ctx) }

// Busy returns the networks that are being worked on.
func (m *Manager) Busy() []string { return m.loop.Busy() }

func (m *Manager) ids() []string {
	var ids []string
	for _, r := range m.rows.All() {
		if m.status(r.ID).State != Deleted {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// fence is the check that this process still speaks for its node.
func (m *Manager) fence() store.Check { return m.Nodes.Fence() }
