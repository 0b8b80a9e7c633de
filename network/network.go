// Package network keeps the tenants' networks: what they shall be, their addresses and interfaces, and the loop that makes
// them so on this node.
package network

import (
	"context"
	"net/netip"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/lookup"
	"github.com/shakenfist/shakenfist/internal/moves"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/namespace"
)

// Network is a tenant's network.
type Network struct {
	ID        string // UUID, lower case
	Name      string
	Namespace string
	Netblock  netip.Prefix
	DHCP      bool
	NAT       bool
	DNS       bool
	VXLAN     int // VXLAN network identifier
	State     State
	Error     string // what went wrong and what to do; "" unless it could not be made
	Created   time.Time
	Deleted   time.Time // when its end was asked for; zero if it is wanted
	Node      string    // that holds its gateway; "" while none does
}

// Spec asks for a network.
type Spec struct {
	Name      string // at most 255 bytes; "" for none
	Namespace string
	Netblock  string // CIDR, /29 or larger
	DHCP      bool
	NAT       bool
	DNS       bool
}

// record is a network's intent in the store.
type record struct {
	Name      string       `json:"name"`
	Namespace string       `json:"namespace"`
	Netblock  netip.Prefix `json:"netblock"`
	DHCP      bool         `json:"dhcp"`
	NAT       bool         `json:"nat"`
	DNS       bool         `json:"dns"`
	VXLAN     int          `json:"vxlan"`
	Created   time.Time    `json:"created"`
	Deleted   time.Time    `json:"deleted,omitzero"` // when its end was asked for; zero if it is wanted
	Node      string       `json:"node,omitempty"`   // holds the gateway; "" until a network node took it
}

// status is what the gateway's node observed.
type status struct {
	State State     `json:"state"`
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since"`
}

// Get returns a network in whatever state. It fails with fault.NotFound.
func (m *Manager) Get(_ context.Context, id string) (Network, error) {
	n, ok := m.get(id)
	if !ok {
		return Network{}, errNotFound("network.Get", id)
	}
	return n, nil
}

func errNotFound(op, id string) error { return fault.New(op, fault.NotFound, id, "network not found") }

func (m *Manager) get(id string) (Network, bool) {
	row, ok := m.rows.Get(id)
	if !ok {
		return Network{}, false
	}
	r := row.Value
	n := Network{
		ID: id, Name: r.Name, Namespace: r.Namespace, Netblock: r.Netblock, DHCP: r.DHCP, NAT: r.NAT, DNS: r.DNS,
		VXLAN: r.VXLAN, Created: r.Created, Deleted: r.Deleted, Node: r.Node,
	}
	s := m.status(id)
	n.State, n.Error = s.State, s.Error
	if !r.Deleted.IsZero() && n.State != Deleted {
		n.State = DeleteWait
	}
	return n, true
}

// Guard is the metadata.Guard of networks.
func (m *Manager) Guard(tx *view.Txn, id string) error {
	row, ok := m.rows.Get(id)
	if !ok {
		return errNotFound("network.Guard", id)
	}
	tx.Check(m.rows.At(row, id))
	return nil
}

// status returns a network's status; a network nobody looked at yet is Initial.
func (m *Manager) status(id string) status {
	if row, ok := m.statuses.Get(id); ok {
		return row.Value
	}
	return status{State: Initial}
}

// Find returns the network that ref, a UUID or a name, means to the caller. It fails with fault.NotFound and, if a name is
// ambiguous, with fault.Invalid.
func (m *Manager) Find(_ context.Context, caller, ref string) (Network, error) {
	return m.finder(func(owner string, n Network) bool {
		return caller == namespace.System || owner == caller && !m.Namespaces.Predates(owner, n.Deleted)
	}).Find(caller, ref)
}

// findIn is Find among the networks of one namespace, also for the system, which sees all: other tenants' networks of the same
// name make nothing ambiguous.
func (m *Manager) findIn(ns, ref string) (Network, error) {
	return m.finder(func(owner string, _ Network) bool { return owner == ns }).Find(ns, ref)
}

func (m *Manager) finder(sees func(owner string, n Network) bool) lookup.Finder[Network] {
	return lookup.Finder[Network]{
		Kind:      "network",
		ByID:      m.get,
		ByName:    m.named,
		Namespace: func(n Network) string { return n.Namespace },
		Tiers:     []func(string, Network) bool{sees},
	}
}

func (m *Manager) named(name string) []Network {
	var hits []Network
	for _, row := range m.rows.By("name", name) {
		if n, ok := m.get(row.ID); ok && n.State != Deleted {
			hits = append(hits, n)
		}
	}
	return hits
}

// Filter picks networks.
type Filter struct {
	Namespace string // "" for every namespace
	All       bool   // deleted ones too, but for those of an earlier namespace of that name
}

// List returns the networks that match, ascending by UUID.
func (m *Manager) List(_ context.Context, f Filter) []Network {
	rows := m.rows.All
	if f.Namespace != "" {
		rows = func() []row { return m.rows.By("namespace", f.Namespace) }
	}
	networks := []Network{}
	for _, row := range rows() {
		n, ok := m.get(row.ID)
		if !ok || n.State == Deleted && (!f.All || f.Namespace != "" && m.Namespaces.Predates(f.Namespace, n.Deleted)) {
			continue
		}
		networks = append(networks, n)
	}
	return networks
}

// Wait waits until the network is in one of the states and returns it as it is then. A network in state Error that is
// not waited for ends the wait with its error.
func (m *Manager) Wait(ctx context.Context, id string, states ...State) (Network, error) {
	const op = "network.Wait"
	return moves.Await(ctx, m.view.Await, states, func() (Network, State, error) {
		n, ok := m.get(id)
		switch {
		case !ok:
			return n, "", errNotFound(op, id)
		case n.State == Error:
			return n, Error, fault.New(op, fault.Internal, id, "%s", n.Error)
		}
		return n, n.State, nil
	})
}

// CreateAndWait is Create, and then Wait until the network is Created.
func (m *Manager) CreateAndWait(ctx context.Context, s Spec) (Network, error) {
	n, err := m.Create(ctx, s)
	if err != nil {
		return n, err
	}
	return m.Wait(ctx, n.ID, Created)
}

func about(id string) event.Object { return event.Object{Kind: "network", ID: id} }
