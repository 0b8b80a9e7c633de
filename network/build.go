package network

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/store"
)

// reconcile takes a network's next steps on this node.
func (m *Manager) reconcile(ctx context.Context, id string) (time.Duration, error) {
	row, ok := m.rows.Get(id)
	if !ok {
		return 0, nil // the sweep removes what is left of it
	}
	mine := row.Value.Node == m.Nodes.Name()
	here := driverID(row)
	attached := m.Interfaces(ctx, id)
	switch state := m.status(id).State; {
	case state == Deleted:
		return 0, m.remove(ctx, here)
	case !row.Value.Deleted.IsZero() && len(attached) == 0:
		return 0, m.end(ctx, row, mine)
	case row.Value.Node == "" && m.Gateways:
		return 0, m.adopt(ctx, row)
	case state == Error, !mine && !m.usedHere(attached):
		return 0, m.remove(ctx, here)
	}
	return m.ensure(ctx, row, attached, mine)
}

// driverID is how the driver knows a network.
func driverID(r row) netdriver.ID { return netdriver.ID{UUID: r.ID, VXLAN: r.Value.VXLAN} }

func (m *Manager) usedHere(attached []Interface) bool {
	return slices.ContainsFunc(attached, func(i Interface) bool { return i.Node == m.Nodes.Name() })
}

// adopt makes this node hold the gateway of a network that no node holds.
func (m *Manager) adopt(ctx context.Context, row row) error {
	r := row.Value
	r.Node = m.Nodes.Name()
	tx := view.Txn{Name: "adopt network", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID), m.fence())
	tx.Do(m.rows.Put(row.ID, r), m.events.Op(ctx, about(row.ID), event.Status, "gateway placed", map[string]any{"node": r.Node}))
	_, err := m.view.Commit(ctx, tx)
	return err
}

// ensure makes the network on this node, and says so once.
func (m *Manager) ensure(ctx context.Context, row row, attached []Interface, mine bool) (time.Duration, error) {
	want, err := m.wanted(ctx, row, attached, mine)
	if err == nil {
		err = m.Driver.Ensure(ctx, want)
	}
	if err != nil {
		return m.failed(ctx, row, attached, mine, err)
	}
	m.mu.Lock()
	m.applied[row.ID] = want
	delete(m.failing, row.ID)
	delete(m.problems, row.ID)
	m.mu.Unlock()
	m.tellInstances(attached)
	if !mine || m.status(row.ID).State != Initial {
		return 0, nil
	}
	tx := view.Txn{Name: "network created", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	if err := m.move(ctx, &tx, row.ID, Created, "", "created"); err != nil {
		return 0, err
	}
	_, err = m.view.Commit(ctx, tx)
	return 0, err
}

// failed decides whether a network that could not be made is tried again or given up. A network that was created once is
// never given up: it carries traffic.
func (m *Manager) failed(ctx context.Context, row row, attached []Interface, mine bool, err error) (time.Duration, error) {
	if ctx.Err() != nil {
		return 0, err
	}
	m.mu.Lock()
	since, seen := m.failing[row.ID]
	if !seen {
		since = time.Now()
		m.failing[row.ID] = since
	}
	m.problems[row.ID] = err
	m.mu.Unlock()
	m.tellInstances(attached)
	left := m.Patience - time.Since(since)
	patient := left > 0 && !fault.Permanent(err) && !errors.Is(err, fault.Conflict)
	if !mine || patient || m.status(row.ID).State != Initial {
		return max(left, 0), err
	}
	cause := "making the network on node " + m.Nodes.Name() + ": " + fault.Text(err)
	tx := view.Txn{Name: "network failed", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID))
	if err := m.move(ctx, &tx, row.ID, Error, cause, "failed"); err != nil {
		return 0, err
	}
	if _, err = m.view.Commit(ctx, tx); err != nil {
		return 0, err
	}
	return 0, m.remove(ctx, driverID(row)) // what was made of it
}

// wanted is what the network shall be on this node, for the interfaces that are attached.
func (m *Manager) wanted(ctx context.Context, row row, attached []Interface, mine bool) (netdriver.Network, error) {
	info, err := m.Driver.Info(ctx)
	if err != nil {
		return netdriver.Network{}, err
	}
	want := netdriver.Network{ID: driverID(row), MTU: m.MTU(ctx, info), Peers: m.peers(ctx, row)}
	if mine {
		want.Gateway = m.gateway(row, attached)
	}
	return want, nil
}

// MTU is that of every tenant network: the smallest that any node's mesh carries.
func (m *Manager) MTU(ctx context.Context, here netdriver.Info) int {
	mtu := here.MTU
	for _, n := range m.Nodes.List(ctx) {
		if n.MTU > 0 && n.State != node.Stopped && n.State != node.Deleted {
			mtu = min(mtu, n.MTU)
		}
	}
	return mtu
}

// peers are the mesh addresses of the other nodes that take part: those with guests, and the gateway's.
func (m *Manager) peers(ctx context.Context, row row) []netip.Addr {
	var peers []netip.Addr
	for _, n := range m.Nodes.List(ctx) {
		takesPart := n.Name == row.Value.Node || m.interfaces.Count("place", place(row.ID, n.Name)) > 0
		if n.Name == m.Nodes.Name() || !takesPart {
			continue
		}
		if a, err := netip.ParseAddr(n.MeshIP); err == nil { // one that has none yet is found at the next resync
			peers = append(peers, a)
		}
	}
	slices.SortFunc(peers, netip.Addr.Compare)
	return slices.Compact(peers)
}

func (m *Manager) gateway(row row, attached []Interface) *netdriver.Gateway {
	r := row.Value
	router := Router(r.Netblock)
	g := &netdriver.Gateway{Address: netip.PrefixFrom(router, r.Netblock.Bits())}
	if !r.DHCP {
		return g
	}
	d := &netdriver.DHCP{Domain: r.Namespace + "." + m.Zone, Router: router}
	if r.NAT {
		d.DNS = m.DNSServers
	}
	named := map[string]bool{}
	for _, i := range attached {
		if !i.Address.IsValid() {
			continue
		}
		h := netdriver.Host{MAC: i.MAC, Address: i.Address}
		// Two guests of one name: the first has it, the other goes without.
		if !named[i.host] {
			h.Name = i.host
			named[h.Name] = true
		}
		d.Hosts = append(d.Hosts, h)
	}
	g.DHCP = d
	return g
}

// Ready reports whether the instance's networks carry its traffic on this node. It fails with the reason for which a
// network could not be made; it may be made yet.
func (m *Manager) Ready(ctx context.Context, instance string) (bool, error) {
	for _, i := range m.InterfacesOf(ctx, instance) {
		row, ok := m.rows.Get(i.Network)
		if !ok {
			return false, errNotFound("network.Ready", i.Network)
		}
		want, err := m.wanted(ctx, row, []Interface{i}, row.Value.Node == m.Nodes.Name())
		if err != nil {
			return false, err
		}
		m.mu.Lock()
		have, made := m.applied[i.Network]
		problem := m.problems[i.Network]
		m.mu.Unlock()
		if made && carries(have, want, i) {
			continue
		}
		if problem != nil {
			return false, fault.Wrap("network.Ready", i.Network, problem)
		}
		m.loop.Wake(i.Network)
		return false, nil
	}
	return true, nil
}

// carries reports whether what was made of a network carries an interface's traffic as what is wanted would. That others come
// and go meanwhile is no reason to wait: where many are created at once it would never end.
func carries(have, want netdriver.Network, i Interface) bool {
	missing := func(p netip.Addr) bool { return !slices.Contains(have.Peers, p) }
	if have.ID != want.ID || have.MTU != want.MTU || slices.ContainsFunc(want.Peers, missing) || (have.Gateway == nil) != (want.Gateway == nil) {
		return false
	}
	if want.Gateway == nil || want.Gateway.DHCP == nil || !i.Address.IsValid() {
		return true
	}
	known := func(h netdriver.Host) bool { return h.MAC == i.MAC && h.Address == i.Address }
	return have.Gateway.DHCP != nil && slices.ContainsFunc(have.Gateway.DHCP.Hosts, known)
}

// tellInstances tells those that wait for this network on this node.
func (m *Manager) tellInstances(attached []Interface) {
	for _, i := range attached {
		if i.Node != m.Nodes.Name() || i.State != Initial {
			continue
		}
		for _, f := range m.onUp {
			f(i.Instance)
		}
	}
}

// remove removes a network from this node.
func (m *Manager) remove(ctx context.Context, id netdriver.ID) error {
	if err := m.Driver.Remove(ctx, id); err != nil {
		return err
	}
	m.mu.Lock()
	delete(m.applied, id.UUID)
	delete(m.failing, id.UUID)
	delete(m.problems, id.UUID)
	m.mu.Unlock()
	return nil
}

// end ends a network that nothing uses any more: first on this node, then, where its gateway was, in the store.
func (m *Manager) end(ctx context.Context, row row, mine bool) error {
	if err := m.remove(ctx, driverID(row)); err != nil {
		return err
	}
	if !mine && (row.Value.Node != "" || !m.Gateways) {
		return nil
	}
	tx := view.Txn{Name: "network deleted", Ref: row.ID}
	tx.Check(m.rows.At(row, row.ID), store.Empty(attachedKey(row.ID, "")))
	m.forgetAddresses(&tx, row.ID)
	tx.Do(store.Delete(vxlanKey(row.Value.VXLAN)))
	m.Namespaces.Disown(&tx, row.Value.Namespace, "network", row.ID)
	if err := m.move(ctx, &tx, row.ID, Deleted, "", "deleted"); err != nil {
		return err
	}
	_, err := m.view.Commit(ctx, tx)
	return err
}

// sweep removes from this node every network that no record wants, and forgets records that were deleted long ago.
func (m *Manager) sweep(ctx context.Context) error {
	there, err := m.Driver.List(ctx)
	if err != nil {
		return err
	}
	unwanted := func(id netdriver.ID) bool { return !m.keeps(id) }
	if slices.ContainsFunc(there, unwanted) {
		// What was made after the host was looked at is not in what was seen, so it can't be removed by mistake; what was
		// made before is in the view from here on.
		if err := m.view.Fresh(ctx); err != nil {
			return err
		}
	}
	var failed error
	for _, id := range there {
		if !unwanted(id) {
			continue
		}
		m.Log.InfoContext(ctx, "removing a network that nobody wants", slog.String("network", id.UUID))
		failed = errors.Join(failed, m.remove(ctx, id)) // one that stays is no reason to keep the others
	}
	return errors.Join(failed, m.forget(ctx), m.forgetRested(ctx))
}

// keeps reports whether a network on this node belongs to a record that is not deleted.
func (m *Manager) keeps(id netdriver.ID) bool {
	row, ok := m.rows.Get(id.UUID)
	if !ok {
		return m.rows.Unreadable(id.UUID) // by this program; a newer one wrote it
	}
	return row.Value.VXLAN == id.VXLAN && m.status(id.UUID).State != Deleted
}

// forget drops records that were deleted longer ago than Linger.
func (m *Manager) forget(ctx context.Context) error {
	for _, r := range m.interfaces.All() {
		if r.Value.State != Deleted || time.Since(r.Value.Changed) < m.Linger {
			continue
		}
		tx := view.Txn{Name: "forget interface", Ref: r.ID}
		tx.Check(m.interfaces.At(r, r.ID))
		tx.Do(m.interfaces.Delete(r.ID))
		tx.Do(m.events.Forget(event.Object{Kind: "interface", ID: r.ID})...)
		m.Metadata.Forget(&tx, "interface", r.ID)
		if _, err := m.view.Commit(ctx, tx); err != nil && !isConflict(err) {
			return err
		}
	}
	for _, s := range m.statuses.All() {
		if s.Value.State != Deleted || time.Since(s.Value.Since) < m.Linger {
			continue
		}
		tx := view.Txn{Name: "forget network", Ref: s.ID}
		tx.Check(m.statuses.At(s, s.ID))
		tx.Do(m.rows.Delete(s.ID), m.statuses.Delete(s.ID))
		tx.Do(m.events.Forget(about(s.ID))...)
		m.Metadata.Forget(&tx, "network", s.ID)
		if _, err := m.view.Commit(ctx, tx); err != nil && !isConflict(err) {
			return err
		}
	}
	return nil
}
