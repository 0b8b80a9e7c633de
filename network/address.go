package network

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/store"
)

// Kind says what holds an address, as the API names it.
type Kind string

// The kinds of reservation.
const (
	KindNetwork   Kind = "network"       // the block's own address
	KindBroadcast Kind = "broadcast"     // the block's broadcast address
	KindGateway   Kind = "gateway"       // the router's
	KindInstance  Kind = "instance"      // a guest's
	KindHalo      Kind = "deletion-halo" // was somebody's a moment ago; rests so that nobody inherits their traffic
)

// Reservation is an address in use.
type Reservation struct {
	Address netip.Addr
	Kind    Kind
	User    [2]string // kind and UUID of what uses it; empty for KindHalo
	When    time.Time
	Comment string
}

// reservation is one in the store, under "<network>/<address>". That key is the claim: two creates that want the same
// address can't both commit.
type reservation struct {
	Kind    Kind      `json:"kind"`
	User    [2]string `json:"user"`
	When    time.Time `json:"when"`
	Comment string    `json:"comment,omitempty"`
}

// shortHalo is how long a released address rests when the network has no other left.
const shortHalo = 30 * time.Second

func addressID(network string, a netip.Addr) string { return network + "/" + a.String() }

func networkOf(id string) string {
	network, _, _ := strings.Cut(id, "/")
	return network
}

// reserveFixed adds to tx the addresses that no guest may have.
func (m *Manager) reserveFixed(tx *view.Txn, id string, block netip.Prefix) {
	user := [2]string{"network", id}
	reserve := func(a netip.Addr, kind Kind) {
		tx.Do(m.addresses.Put(addressID(id, a), reservation{Kind: kind, User: user, When: time.Now()}))
	}
	reserve(block.Addr(), KindNetwork)
	reserve(Router(block), KindGateway)
	reserve(Broadcast(block), KindBroadcast)
}

// claim adds to tx that an instance holds an address of the network: the wanted one, or a free one if it is the zero Addr.
// It fails with fault.Conflict if the wanted one is taken, and with fault.Exhausted if none is free.
func (m *Manager) claim(tx *view.Txn, n Network, instance string, wanted netip.Addr) (netip.Addr, error) {
	const op = "network.claim"
	a := wanted
	if a.IsValid() {
		if m.taken(tx, n.ID, a, m.Halo) {
			return a, fault.New(op, fault.Conflict, n.ID, "address %s is in use", a)
		}
	} else {
		var err error
		if a, err = m.free(tx, n); err != nil {
			return a, err
		}
	}
	id := addressID(n.ID, a)
	old, _ := m.addresses.Get(id)
	tx.Check(m.addresses.At(old, id))
	tx.Do(m.addresses.Put(id, reservation{Kind: KindInstance, User: [2]string{"instance", instance}, When: time.Now()}))
	return a, nil
}

// free picks an address. Those that rest are taken only when nothing else is left: first the ones that rested a while,
// then any.
func (m *Manager) free(tx *view.Txn, n Network) (netip.Addr, error) {
	for _, halo := range []time.Duration{m.Halo, min(m.Halo, shortHalo), 0} {
		m.randomMu.Lock()
		a, err := Pick(n.Netblock, func(a netip.Addr) bool { return m.taken(tx, n.ID, a, halo) }, m.random)
		m.randomMu.Unlock()
		if err == nil || !errors.Is(err, fault.Exhausted) {
			return a, err
		}
	}
	return netip.Addr{}, fault.New("network.claim", fault.Exhausted, n.ID,
		"no free address in network %s (%s): %d of its addresses are in use; delete instances or use a larger netblock",
		n.ID, n.Netblock, m.addresses.Count("network", n.ID))
}

// taken reports whether an address can't be given away: somebody holds it, it rests, or tx is about to take it.
func (m *Manager) taken(tx *view.Txn, network string, a netip.Addr, halo time.Duration) bool {
	id := addressID(network, a)
	for _, o := range tx.Ops {
		if o.Key == m.addresses.Key(id) {
			return true
		}
	}
	r, ok := m.addresses.Get(id)
	return ok && (r.Value.Kind != KindHalo || time.Since(r.Value.When) < halo)
}

// release adds to tx that an address is nobody's any more.
func (m *Manager) release(tx *view.Txn, network string, a netip.Addr) {
	if !a.IsValid() {
		return
	}
	id := addressID(network, a)
	if m.Halo <= 0 {
		tx.Do(m.addresses.Delete(id))
		return
	}
	tx.Do(m.addresses.Put(id, reservation{Kind: KindHalo, When: time.Now()}))
}

// rested reports whether an address has rested long enough to be like any other.
func (m *Manager) rested(r reservation) bool {
	return r.Kind == KindHalo && time.Since(r.When) >= m.Halo
}

// forgetRested drops the records of addresses that have rested long enough. Where a create is quicker, it has the address.
func (m *Manager) forgetRested(ctx context.Context) error {
	for rows := range slices.Chunk(m.addresses.By("kind", string(KindHalo)), perCommit) {
		tx := view.Txn{Name: "forget rested addresses"}
		for _, r := range rows {
			if m.rested(r.Value) {
				tx.Check(m.addresses.At(r, r.ID))
				tx.Do(m.addresses.Delete(r.ID))
			}
		}
		if len(tx.Ops) == 0 {
			continue
		}
		if _, err := m.view.Commit(ctx, tx); err != nil && !isConflict(err) {
			return err
		}
	}
	return nil
}

// perCommit is how many addresses one commit forgets.
const perCommit = 50

// Addresses returns the network's reservations, ascending by the text of the address.
func (m *Manager) Addresses(_ context.Context, id string) []Reservation {
	all := []Reservation{}
	for _, r := range m.addresses.By("network", id) {
		_, text, _ := strings.Cut(r.ID, "/")
		a, err := netip.ParseAddr(text)
		if err != nil || m.rested(r.Value) {
			continue // not written by us, or about to be forgotten
		}
		all = append(all, Reservation{Address: a, Kind: r.Value.Kind, User: r.Value.User, When: r.Value.When, Comment: r.Value.Comment})
	}
	return all
}

// forgetAddresses adds to tx that the network has no reservations any more.
func (m *Manager) forgetAddresses(tx *view.Txn, id string) {
	tx.Do(store.DeletePrefix(m.addresses.Key(id + "/")))
}
