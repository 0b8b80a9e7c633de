package network

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// Interface is a guest's connection to a network.
type Interface struct {
	ID       string     // UUID, lower case
	Network  string     // UUID
	Instance string     // UUID
	Node     string     // where the instance runs
	MAC      string     // lower case, colons
	Address  netip.Addr // the zero Addr if it has none
	Order    int        // place among the instance's interfaces, from 0
	Model    string
	State    State // Initial, Created, Deleted or Error

	host string // the instance's name
}

// interfaceRecord is an interface in the store.
type interfaceRecord struct {
	Network  string     `json:"network"`
	Instance string     `json:"instance"`
	Name     string     `json:"name"` // the instance's, for DHCP
	Node     string     `json:"node"`
	MAC      string     `json:"mac"`
	Address  netip.Addr `json:"address,omitzero"`
	Order    int        `json:"order"`
	Model    string     `json:"model"`
	State    State      `json:"state"`
	Changed  time.Time  `json:"changed"`
}

// Request asks for an interface of a new instance.
type Request struct {
	Network   string // UUID or name
	Address   string // "" for a free one
	NoAddress bool   // the guest gets none; Address is ignored
	MAC       string // "" for a generated one
	Model     string // "" for virtio
}

// Models are the network card models a guest can have.
var models = []string{"virtio", "i82551", "i82557b", "i82559er", "ne2k_pci", "pcnet", "rtl8139", "e1000"}

// resolved is a Request that was checked.
type resolved struct {
	network   Network
	address   netip.Addr
	noAddress bool
	mac       string
	model     string
}

// Owner is the instance that interfaces are made for.
type Owner struct {
	Instance  string // UUID
	Name      string // a DNS label
	Namespace string
	Node      string // where it was placed
}

// Resolve checks requests as far as the view can: it fails with fault.NotFound for a network the namespace has not, with
// fault.NotReady for one that is not Created yet, and with fault.Invalid naming the field for anything else.
func (m *Manager) Resolve(_ context.Context, ns string, requests []Request) ([]resolved, error) {
	all := make([]resolved, len(requests))
	macs := map[string]bool{}
	for i, r := range requests {
		v, err := m.resolve(ns, r)
		if err != nil {
			return nil, err
		}
		if v.mac != "" && macs[v.mac] {
			return nil, fault.New("network.Resolve", fault.Invalid, "", "macaddress %s is given to two interfaces", v.mac)
		}
		macs[v.mac] = true
		all[i] = v
	}
	return all, nil
}

func (m *Manager) resolve(ns string, r Request) (resolved, error) {
	const op = "network.Resolve"
	v := resolved{noAddress: r.NoAddress, model: r.Model}
	if r.Network == "" {
		return v, fault.New(op, fault.Invalid, "", "network_uuid is missing in a network specification")
	}
	n, err := m.findIn(ns, r.Network)
	if errors.Is(err, fault.NotFound) {
		return v, fault.New(op, fault.NotFound, r.Network, "network not found: namespace %q has no network %.80q", ns, r.Network)
	}
	if err != nil {
		return v, err
	}
	if n.State != Created {
		return v, notReady(op, n)
	}
	v.network = n
	if v.model == "" {
		v.model = "virtio"
	}
	if !slices.Contains(models, v.model) {
		return v, fault.New(op, fault.Invalid, "", "model %.40q is not known: use one of %s", r.Model, strings.Join(models, ", "))
	}
	if r.MAC != "" {
		if v.mac, err = ParseMAC(r.MAC); err != nil {
			return v, err
		}
	}
	if r.Address == "" || r.NoAddress {
		return v, nil
	}
	if v.address, err = netip.ParseAddr(r.Address); err != nil {
		return v, fault.New(op, fault.Invalid, "", "address %.60q is not an IP address", r.Address)
	}
	if !n.Netblock.Contains(v.address) {
		return v, fault.New(op, fault.Invalid, "", "address %s is not in the netblock %s of network %s", v.address, n.Netblock, n.ID)
	}
	return v, nil
}

// notReady says that a network will never, or does not yet, take an interface.
func notReady(op string, n Network) error {
	switch n.State {
	case Initial:
		return fault.New(op, fault.NotReady, n.ID, "network %s is not ready (%s)", n.ID, n.State)
	case Deleted, DeleteWait:
		return errNotFound(op, n.ID)
	case Error:
		return fault.New(op, fault.Conflict, n.ID, "network %s is not usable: %s", n.ID, n.Error)
	case Created:
	}
	return nil
}

// Attach adds to tx the interfaces of a new instance, with their addresses and MACs. It fails with fault.Conflict if a
// wanted address is in use and with fault.Exhausted if a network is full. The commit conflicts if a network ends meanwhile.
func (m *Manager) Attach(tx *view.Txn, o Owner, wanted []resolved) ([]string, error) {
	ids := make([]string, len(wanted))
	for i, w := range wanted {
		row, ok := m.rows.Get(w.network.ID)
		if !ok || !row.Value.Deleted.IsZero() {
			return nil, errNotFound("network.Attach", w.network.ID)
		}
		mac := w.mac
		if mac == "" {
			mac = m.newMAC()
		}
		var address netip.Addr
		if !w.noAddress {
			var err error
			if address, err = m.claim(tx, w.network, o.Instance, w.address); err != nil {
				return nil, err
			}
		}
		id := uuid.NewString()
		ids[i] = id
		tx.Check(m.rows.At(row, row.ID), store.Absent(macKey(mac)))
		tx.Do(store.Put(macKey(mac), []byte(id)), store.Put(attachedKey(row.ID, id), nil),
			m.interfaces.Put(id, interfaceRecord{
				Network: row.ID, Instance: o.Instance, Name: o.Name, Node: o.Node, MAC: mac, Address: address,
				Order: i, Model: w.model, State: Initial, Changed: time.Now(),
			}))
	}
	return ids, nil
}

// macKey is the claim of a MAC address. It lies outside the view, as attachedKey does.
func macKey(mac string) string { return "c/mac/" + mac }

// attachedKey says that a network has an interface: it can't end before that key goes.
func attachedKey(network, id string) string { return "c/attached/" + network + "/" + id }

// MACTaken tells whether a failed commit failed because somebody else has the MAC that was asked for.
func MACTaken(err error) (mac string, taken bool) {
	for _, c := range store.FailedChecks(err) {
		if c.Kind == store.CheckAbsent && len(c.Key) > len(macKey("")) && c.Key[:len(macKey(""))] == macKey("") {
			return c.Key[len(macKey("")):], true
		}
	}
	return "", false
}

func (m *Manager) newMAC() string {
	m.randomMu.Lock()
	defer m.randomMu.Unlock()
	return NewMAC(m.random)
}

// Up adds to tx that an instance's interfaces are in place.
func (m *Manager) Up(tx *view.Txn, instance string) {
	for _, r := range m.interfaces.By("instance", instance) {
		if r.Value.State == Initial {
			v := r.Value
			v.State, v.Changed = Created, time.Now()
			tx.Do(m.interfaces.Put(r.ID, v))
		}
	}
}

// Detach adds to tx that an instance's interfaces are gone, and frees what they held.
func (m *Manager) Detach(tx *view.Txn, instance string) {
	for _, r := range m.interfaces.By("instance", instance) {
		v := r.Value
		v.State, v.Changed = Deleted, time.Now()
		tx.Check(m.interfaces.At(r, r.ID))
		tx.Do(m.interfaces.Put(r.ID, v), store.Delete(macKey(v.MAC)), store.Delete(attachedKey(v.Network, r.ID)))
		m.release(tx, v.Network, v.Address)
	}
}

// Interface returns an interface. It fails with fault.NotFound.
func (m *Manager) Interface(_ context.Context, id string) (Interface, error) {
	r, ok := m.interfaces.Get(id)
	if !ok {
		return Interface{}, fault.New("network.Interface", fault.NotFound, id, "interface not found")
	}
	return toInterface(r), nil
}

// GuardInterface is the metadata.Guard of interfaces.
func (m *Manager) GuardInterface(tx *view.Txn, id string) error {
	r, ok := m.interfaces.Get(id)
	if !ok {
		return fault.New("network.GuardInterface", fault.NotFound, id, "interface not found")
	}
	tx.Check(m.interfaces.At(r, id))
	return nil
}

func toInterface(r view.Row[interfaceRecord]) Interface {
	v := r.Value
	return Interface{
		ID: r.ID, Network: v.Network, Instance: v.Instance, Node: v.Node, MAC: v.MAC, Address: v.Address,
		Order: v.Order, Model: v.Model, State: v.State, host: v.Name,
	}
}

// Interfaces returns the network's interfaces that are not deleted.
func (m *Manager) Interfaces(_ context.Context, id string) []Interface {
	return toInterfaces(m.interfaces.By("network", id))
}

// InterfacesOf returns the instance's interfaces that are not deleted, in order.
func (m *Manager) InterfacesOf(_ context.Context, instance string) []Interface {
	all := toInterfaces(m.interfaces.By("instance", instance))
	slices.SortStableFunc(all, func(a, b Interface) int { return cmp.Compare(a.Order, b.Order) })
	return all
}

func toInterfaces(rows []view.Row[interfaceRecord]) []Interface {
	all := make([]Interface, len(rows))
	for i, r := range rows {
		all[i] = toInterface(r)
	}
	return all
}
