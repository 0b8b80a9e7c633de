//go:build linux

package netlinknet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

// ensureDHCP makes the network's DHCP server offer exactly what n says; fresh says that the network's folder and its namespace s
// were made just now, so that nothing can run yet. See the package's comment for when dnsmasq is started anew.
func (d *Driver) ensureDHCP(ctx context.Context, n netdriver.Network, s *space, fresh bool) error {
	if n.Gateway.DHCP == nil {
		return d.dropDHCP(ctx, n.ID)
	}
	p, err := d.findDHCP(ctx, n.ID, fresh)
	if err != nil {
		return err
	}
	defer p.close()
	want := hostsOf(n)
	hosts, err1 := d.read(n.UUID, fileHosts)
	loaded, err2 := d.read(n.UUID, fileLoaded)
	leases, err3 := d.read(n.UUID, fileLeases)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	switch {
	case p == nil:
	case lacks(want, hosts), lacks(want, loaded), liveLeases(leases, n.Gateway.DHCP.Hosts) != leases, // it knows too much
		!p.runs(d.dhcpArgs(n), s.inode), p.searched, !d.has(n.UUID, fileLeases): // it is not whole
		if err := d.stop(ctx, n.ID, p); err != nil {
			return err
		}
	case hosts == want && loaded == want:
		return nil
	default:
		return d.addHosts(ctx, n, p, want, hosts)
	}
	return d.startDHCP(ctx, n, s, want)
}

// addHosts makes a running dnsmasq know hosts that were added. It is told again until the file loaded says that it was.
func (d *Driver) addHosts(ctx context.Context, n netdriver.Network, p *process, want, hosts string) error {
	if hosts != want {
		if err := d.write(ctx, n.ID, fileHosts, want); err != nil {
			return err
		}
	}
	err := d.change(ctx, n.ID, "tell its hosts to", "dnsmasq of "+n.UUID, func() error { return gone(p.signal(unix.SIGHUP)) })
	if err != nil {
		return err
	}
	return d.write(ctx, n.ID, fileLoaded, want)
}

// startDHCP starts dnsmasq, which is not running. It is ready when this returns.
func (d *Driver) startDHCP(ctx context.Context, n netdriver.Network, s *space, want string) error {
	if err := d.write(ctx, n.ID, fileHosts, want); err != nil {
		return err
	}
	leases, err := d.read(n.UUID, fileLeases) // again, as only now nobody writes it any more
	if err != nil {
		return err
	}
	if live := liveLeases(leases, n.Gateway.DHCP.Hosts); live != leases {
		if err := d.write(ctx, n.ID, fileLeases, live); err != nil {
			return err
		}
	}
	if err := d.launch(ctx, n, s); err != nil {
		return err
	}
	return d.write(ctx, n.ID, fileLoaded, want)
}

// stopDHCP stops the network's DHCP server, if one runs.
func (d *Driver) stopDHCP(ctx context.Context, id netdriver.ID) error {
	_, err := os.Lstat(d.dir(id.UUID))
	if _, anything := isSpace(spacePath(id)); !anything && errors.Is(err, fs.ErrNotExist) {
		return nil // there is no trace of a gateway
	}
	p, err := d.findDHCP(ctx, id, false)
	if p == nil || err != nil {
		return err
	}
	defer p.close()
	return d.stop(ctx, id, p)
}

// dropDHCP stops the network's DHCP server and removes its files.
func (d *Driver) dropDHCP(ctx context.Context, id netdriver.ID) error {
	entries, err := os.ReadDir(d.dir(id.UUID))
	if err != nil {
		return d.failed("read", d.dir(id.UUID), err)
	}
	if len(entries) == 1 { // only the mark
		return nil
	}
	if err := d.stopDHCP(ctx, id); err != nil {
		return err
	}
	return d.change(ctx, id, "remove the DHCP files of", id.UUID, func() error { return removeFiles(d.dir(id.UUID), fileID) })
}

// hostsOf returns the hosts as dnsmasq reads them, sorted. Names are written with the domain, because dnsmasq takes some
// single words for something else: a lease time ("1h", "30", "infinite") or an order to ignore the host ("ignore").
func hostsOf(n netdriver.Network) string {
	dhcp := n.Gateway.DHCP
	lines := make([]string, 0, len(dhcp.Hosts))
	for _, h := range dhcp.Hosts {
		line := h.MAC + "," + h.Address.String()
		if h.Name != "" && dhcp.Domain != "" {
			line += "," + h.Name + "." + dhcp.Domain
		}
		lines = append(lines, line+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// lacks reports whether a line of before is not in want.
func lacks(want, before string) bool {
	if before == want {
		return false
	}
	lines := map[string]bool{}
	for line := range strings.Lines(want) {
		lines[line] = true
	}
	for line := range strings.Lines(before) {
		if !lines[line] {
			return true
		}
	}
	return false
}

// liveLeases returns the leases, one a line of "expiry MAC address name id", whose MAC and address are those of a host.
func liveLeases(leases string, hosts []netdriver.Host) string {
	of := make(map[string]string, len(hosts))
	for _, h := range hosts {
		of[h.MAC] = h.Address.String()
	}
	var live strings.Builder
	for line := range strings.Lines(leases) {
		f := strings.Fields(line)
		if len(f) >= 3 && of[f[1]] == f[2] {
			live.WriteString(line)
		}
	}
	return live.String()
}
