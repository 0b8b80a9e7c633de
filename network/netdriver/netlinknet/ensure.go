//go:build linux

package netlinknet

import (
	"context"
	"slices"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// Ensure implements netdriver.Driver.
func (d *Driver) Ensure(ctx context.Context, n netdriver.Network) error {
	return fault.Wrap("netlinknet.Ensure", n.UUID, d.ensure(ctx, n))
}

func (d *Driver) ensure(ctx context.Context, n netdriver.Network) error {
	if err := n.Validate(); err != nil {
		return err
	}
	unlock, err := d.locks.lock(ctx, n.UUID)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := d.lookAtMesh()
	if err != nil {
		return err
	}
	if err := admit(n, m); err != nil {
		return err
	}
	bridge, err := d.ensureBridge(ctx, n)
	if err != nil {
		return err
	}
	if err := d.ensureVXLAN(ctx, n, m, bridge); err != nil {
		return err
	}
	if n.Gateway == nil {
		return d.removeGateway(ctx, n.ID)
	}
	return d.ensureGateway(ctx, n, bridge)
}

// admit fails if this node cannot carry n.
func admit(n netdriver.Network, m mesh) error {
	const op = "netlinknet.admit"
	if n.MTU > m.tenantMTU() {
		return fault.New(op, fault.Invalid, n.UUID, "MTU is %d bytes, but this node carries at most %d", n.MTU, m.tenantMTU())
	}
	if len(n.Peers) > 0 && m.name == "" {
		return fault.New(op, fault.Invalid, n.UUID, "it has peers, but this node has no mesh interface; name one and restart the daemon")
	}
	if slices.Contains(n.Peers, m.ip) {
		return fault.New(op, fault.Invalid, n.UUID, "peer %s is this node itself", m.ip)
	}
	return nil
}

// Remove implements netdriver.Driver.
func (d *Driver) Remove(ctx context.Context, id netdriver.ID) error {
	return fault.Wrap("netlinknet.Remove", id.UUID, d.remove(ctx, id))
}

func (d *Driver) remove(ctx context.Context, id netdriver.ID) error {
	if err := id.Validate(); err != nil {
		return err
	}
	unlock, err := d.locks.lock(ctx, id.UUID)
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.removeGateway(ctx, id); err != nil {
		return err
	}
	if err := d.deleteLink(ctx, id, id.Link(), "vxlan"); err != nil {
		return err
	}
	return d.deleteLink(ctx, id, id.Bridge(), "bridge")
}
