package instance

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"

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
	if err := os.WriteFile(partial, content, 0o600); err != nil { // user data is secret; Define lets the hypervisor read it
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

// DefaultConsole is how many bytes of the console's log are returned when nothing is said.
const DefaultConsole = 10240

// maxConsole bounds how much of a console's log Console holds in memory, in bytes.
const maxConsole = 16 << 20

// Console returns the last length bytes of what the guest wrote to its serial console, at most 16 MiB; 0 means DefaultConsole,
// less than 0 as much as there is. It fails as OpenConsole does.
func (m *Manager) Console(ctx context.Context, id string, length int64) ([]byte, error) {
	if length < 0 || length > maxConsole {
		length = maxConsole
	}
	c, err := m.OpenConsole(ctx, id, length)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(c)
	return data, fault.Wrap("instance.Console", id, err)
}

// ConsoleLog is the end of what a guest wrote to its serial console, as long as it was when it was opened. It must be closed.
type ConsoleLog struct {
	*io.SectionReader
	file io.Closer
}

// Close implements io.Closer.
func (c ConsoleLog) Close() error { return c.file.Close() }

// OpenConsole opens the last length bytes of what the guest wrote to its serial console; 0 means DefaultConsole, less than 0
// everything. It fails with fault.NotFound if there is no such instance, and with fault.Unavailable if it runs on another node.
func (m *Manager) OpenConsole(_ context.Context, id string, length int64) (ConsoleLog, error) {
	const op = "instance.OpenConsole"
	row, ok := m.rows.Get(id)
	if !ok {
		return ConsoleLog{}, errNotFound(op, id)
	}
	if row.Value.Node != m.Nodes.Name() {
		return ConsoleLog{}, fault.New(op, fault.Unavailable, id, "the instance is on node %s; ask there", row.Value.Node)
	}
	f, err := os.Open(m.consoleLog(id))
	if errors.Is(err, os.ErrNotExist) {
		return ConsoleLog{io.NewSectionReader(strings.NewReader(""), 0, 0), io.NopCloser(strings.NewReader(""))}, nil
	}
	if err != nil {
		return ConsoleLog{}, fault.Wrap(op, id, err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return ConsoleLog{}, fault.Wrap(op, id, err)
	}
	if length == 0 {
		length = DefaultConsole
	}
	if length < 0 || length > info.Size() {
		length = info.Size()
	}
	return ConsoleLog{io.NewSectionReader(f, info.Size()-length, length), f}, nil
}
