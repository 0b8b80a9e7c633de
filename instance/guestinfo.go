package instance

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/netip"
	"os"

	"github.com/shakenfist/shakenfist/configdrive"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/network"
)

// makeConfigDrive makes the disk from which the guest learns who it is. It is made anew at every power on.
func (m *Manager) makeConfigDrive(ctx context.Context, row row) error {
	if row.Value.Spec.ConfigDrive != OpenStackDisk {
		return nil
	}
	d, err := m.drive(ctx, row)
	if err != nil {
		return err
	}
	var iso bytes.Buffer
	if err := configdrive.Build(&iso, d); err != nil {
		return err
	}
	s, _ := m.statuses.Get(row.ID)
	for _, disk := range s.Value.Disks {
		if disk.Blob == "" && disk.NoSnapshot {
			return m.publish(ctx, disk.Path, iso.Bytes())
		}
	}
	return nil
}

// publish makes a file complete in one rename. What an attempt that was cut off left is written over.
func (m *Manager) publish(ctx context.Context, path string, content []byte) error {
	partial := path + ".partial"
	if err := os.WriteFile(partial, content, 0o644); err != nil { //nolint:gosec // the hypervisor's user reads it
		return diskFault("write config drive", partial, err)
	}
	return diskFault("write config drive", path, step.Do(ctx, "rename config drive", path, func() error { return os.Rename(partial, path) }))
}

// drive is what the guest is told.
func (m *Manager) drive(ctx context.Context, row row) (configdrive.Drive, error) {
	spec := row.Value.Spec
	user, err := spec.userData()
	if err != nil {
		return configdrive.Drive{}, err
	}
	seed := make([]byte, 512)
	_, _ = rand.Read(seed) // never fails
	d := configdrive.Drive{UUID: row.ID, Name: spec.Name, Zone: m.Zone, SSHKey: spec.SSHKey, UserData: user, Seed: seed}
	mtu, err := m.Mesh(ctx)
	if err != nil {
		return d, err
	}
	for _, i := range m.Networks.InterfacesOf(ctx, row.ID) {
		n, err := m.Networks.Get(ctx, i.Network)
		if err != nil {
			return d, err
		}
		c := configdrive.Interface{ID: i.ID, NetworkID: n.ID, Order: i.Order, MAC: i.MAC, MTU: mtu}
		if i.Address.IsValid() {
			c.Address = netip.PrefixFrom(i.Address, n.Netblock.Bits())
			c.Gateway = network.Router(n.Netblock)
		}
		d.Interfaces = append(d.Interfaces, c)
	}
	for _, s := range m.DNSServers {
		d.Resolvers = append(d.Resolvers, configdrive.Resolver{Address: s})
	}
	return d, nil
}

// DefaultConsole is how many bytes Console returns when nothing is said.
const DefaultConsole = 10240

// Console returns the last length bytes of what the guest wrote to its serial console; 0 means DefaultConsole, less than 0
// everything. It fails with fault.Unavailable if the instance runs on another node.
func (m *Manager) Console(_ context.Context, id string, length int64) ([]byte, error) {
	const op = "instance.Console"
	row, ok := m.rows.Get(id)
	if !ok {
		return nil, errNotFound(op, id)
	}
	if row.Value.Node != m.Nodes.Name() {
		return nil, fault.New(op, fault.Unavailable, id, "the instance is on node %s; ask there", row.Value.Node)
	}
	if length == 0 {
		length = DefaultConsole
	}
	f, err := os.Open(m.consoleLog(id))
	if errors.Is(err, os.ErrNotExist) {
		return []byte{}, nil
	}
	if err != nil {
		return nil, fault.Wrap(op, id, err)
	}
	defer f.Close() //nolint:errcheck // only read
	if size, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil, fault.Wrap(op, id, err)
	} else if length > 0 && size > length {
		_, err = f.Seek(-length, io.SeekEnd)
		if err != nil {
			return nil, fault.Wrap(op, id, err)
		}
	} else if _, err = f.Seek(0, io.SeekStart); err != nil {
		return nil, fault.Wrap(op, id, err)
	}
	data, err := io.ReadAll(f)
	return data, fault.Wrap(op, id, err)
}
