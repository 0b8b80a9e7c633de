// Package simnet is a simulated network driver: it needs no root, makes no packet, and knows who could reach whom.
//
// The nodes of one Fabric share a mesh. Each node's Driver keeps what Ensure told it, exactly as a host would; ports are
// plugged in by whoever simulates guests. Fabric.Reach and Fabric.Offer then answer what traffic and DHCP would do.
// Faults are made on demand: FailNext fails a call, Break… damages a network by hand until the next Ensure mends it.
package simnet

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// The MTU that Info reports: Ethernet's, less what VXLAN adds.
const mtu = 1500 - 50

// Driver is the simulated network of one node. Make one with New or Fabric.Node.
type Driver struct {
	fabric *Fabric
	mesh   netip.Addr // the zero Addr if the node is alone

	// All guarded by fabric.mu.
	networks map[string]*segment // by UUID
	vxlans   map[int]string      // UUID by VXLAN id; "" for one that is not ours
	failures map[string][]error  // by method
	changes  int
}

// segment is one network on one node.
type segment struct {
	netdriver.Network
	broken map[string]bool // parts damaged by hand
}

// New returns the driver of a node that is alone, on a fabric of its own.
func New() *Driver { return NewFabric().Node(netip.Addr{}) }

// Fabric returns the fabric the node belongs to.
func (d *Driver) Fabric() *Fabric { return d.fabric }

// FailNext makes the next call of method ("Info", "Ensure", "Remove" or "List") that has no failure waiting yet fail with
// err before it has any effect. Several wait in a queue.
func (d *Driver) FailNext(method string, err error) {
	d.fabric.mu.Lock()
	defer d.fabric.mu.Unlock()
	d.failures[method] = append(d.failures[method], err)
}

// Changes counts how often Ensure and Remove had something to change on this node.
func (d *Driver) Changes() int {
	d.fabric.mu.Lock()
	defer d.fabric.mu.Unlock()
	return d.changes
}

// Network returns what the network is on this node, and whether it is there at all. The caller may keep it.
func (d *Driver) Network(uuid string) (netdriver.Network, bool) {
	d.fabric.mu.Lock()
	defer d.fabric.mu.Unlock()
	s, ok := d.networks[uuid]
	if !ok {
		return netdriver.Network{}, false
	}
	return clone(s.Network), true
}

// enter locks the fabric for one call of method, unless the call is to fail. The caller must unlock if the error is nil.
func (d *Driver) enter(ctx context.Context, method, ref string) error {
	if err := ctx.Err(); err != nil {
		return fault.Because("simnet."+method, fault.Unavailable, ref, err, "given up")
	}
	d.fabric.mu.Lock()
	queue := d.failures[method]
	if len(queue) == 0 {
		return nil
	}
	err := queue[0]
	d.failures[method] = queue[1:]
	d.fabric.mu.Unlock()
	return fault.Wrap("simnet."+method, ref, err)
}

// Info implements netdriver.Driver.
func (d *Driver) Info(ctx context.Context) (netdriver.Info, error) {
	if err := d.enter(ctx, "Info", ""); err != nil {
		return netdriver.Info{}, err
	}
	defer d.fabric.mu.Unlock()
	info := netdriver.Info{MTU: mtu, MeshIP: d.mesh}
	if d.mesh.IsValid() {
		info.MeshNIC = "sim0"
	}
	return info, nil
}

// Ensure implements netdriver.Driver.
func (d *Driver) Ensure(ctx context.Context, n netdriver.Network) error {
	if err := d.enter(ctx, "Ensure", n.UUID); err != nil {
		return err
	}
	defer d.fabric.mu.Unlock()
	if err := d.admit(n); err != nil {
		return fault.Wrap("simnet.Ensure", n.UUID, err)
	}
	if old, ok := d.networks[n.UUID]; ok && len(old.broken) == 0 && equal(old.Network, n) {
		return nil
	}
	d.networks[n.UUID] = &segment{Network: clone(n), broken: map[string]bool{}}
	d.vxlans[n.VXLAN] = n.UUID
	d.changes++
	return nil
}

// admit fails if n cannot be had on this node.
func (d *Driver) admit(n netdriver.Network) error {
	const op = "simnet.admit"
	if err := n.Validate(); err != nil {
		return err
	}
	if n.MTU > mtu {
		return fault.New(op, fault.Invalid, n.UUID, "MTU is %d bytes, but this node carries at most %d", n.MTU, mtu)
	}
	if len(n.Peers) > 0 && !d.mesh.IsValid() {
		return fault.New(op, fault.Invalid, n.UUID, "it has peers, but this node is alone")
	}
	if slices.Contains(n.Peers, d.mesh) {
		return fault.New(op, fault.Invalid, n.UUID, "peer %s is this node itself", d.mesh)
	}
	if owner, ok := d.vxlans[n.VXLAN]; ok && owner != n.UUID {
		if owner == "" {
			return fault.New(op, fault.Conflict, n.UUID, "link %s exists and is not of this cloud; rename or delete it", n.Bridge())
		}
		return fault.New(op, fault.Conflict, n.UUID, "link %s belongs to network %s; remove that first", n.Bridge(), owner)
	}
	if old, ok := d.networks[n.UUID]; ok && old.VXLAN != n.VXLAN {
		return fault.New(op, fault.Conflict, n.UUID, "it is here with VXLAN id %d; remove that first", old.VXLAN)
	}
	return nil
}

// Remove implements netdriver.Driver.
func (d *Driver) Remove(ctx context.Context, id netdriver.ID) error {
	if err := d.enter(ctx, "Remove", id.UUID); err != nil {
		return err
	}
	defer d.fabric.mu.Unlock()
	if err := id.Validate(); err != nil {
		return fault.Wrap("simnet.Remove", id.UUID, err)
	}
	if old, ok := d.networks[id.UUID]; !ok || old.VXLAN != id.VXLAN {
		return nil
	}
	delete(d.networks, id.UUID)
	delete(d.vxlans, id.VXLAN)
	d.changes++
	return nil
}

// List implements netdriver.Driver.
func (d *Driver) List(ctx context.Context) ([]netdriver.ID, error) {
	if err := d.enter(ctx, "List", ""); err != nil {
		return nil, err
	}
	defer d.fabric.mu.Unlock()
	ids := make([]netdriver.ID, 0, len(d.networks))
	for _, s := range d.networks {
		ids = append(ids, s.ID)
	}
	slices.SortFunc(ids, func(a, b netdriver.ID) int { return strings.Compare(a.UUID, b.UUID) })
	return ids, nil
}

// String describes everything on the node, a network a line.
func (d *Driver) String() string {
	d.fabric.mu.Lock()
	defer d.fabric.mu.Unlock()
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(d.vxlans)) {
		s, ok := d.networks[d.vxlans[id]]
		if !ok {
			fmt.Fprintf(&b, "%06x is not ours\n", id)
			continue
		}
		fmt.Fprintf(&b, "%06x %s mtu %d peers %v", id, s.UUID, s.MTU, s.Peers)
		if s.Gateway != nil {
			fmt.Fprintf(&b, " gateway %s dhcp %+v", s.Gateway.Address, s.Gateway.DHCP)
		}
		fmt.Fprintf(&b, " broken %v\n", slices.Sorted(maps.Keys(s.broken)))
	}
	return b.String()
}
