//go:build linux

package netlinknet

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

const (
	leaseTime   = "1h"
	maxLeases   = "65536"          // of one network; dnsmasq's own limit is 1000
	startWithin = 10 * time.Second // dnsmasq takes milliseconds
)

// dhcpArgs returns the whole command line of the network's dnsmasq.
func (d *Driver) dhcpArgs(n netdriver.Network) []string {
	dhcp, block := n.Gateway.DHCP, n.Gateway.Address.Masked()
	args := []string{
		d.opts.DNSMasq,
		"--conf-file=/dev/null",
		"--port=0", // no DNS
		"--no-resolv", "--no-hosts", "--no-poll",
		"--bind-interfaces", "--interface=" + n.Veth("i"), "--except-interface=lo",
		"--dhcp-authoritative", // so that a guest keeps its address when the gateway, and so the leases, are new
		fmt.Sprintf("--dhcp-range=%s,static,%s,%s", block.Addr(), netmask(block), leaseTime),
		"--dhcp-lease-max=" + maxLeases,
		"--dhcp-hostsfile=" + d.path(n.UUID, fileHosts),
		"--dhcp-leasefile=" + d.path(n.UUID, fileLeases),
		d.pidArg(n.UUID),
		"--dhcp-option-force=option:mtu," + strconv.Itoa(n.MTU), // also to guests that do not ask for it
		// Without a value an option is not offered; dnsmasq would offer itself otherwise.
		option("router", dhcp.Router),
		option("dns-server", dhcp.DNS...),
		"--quiet-dhcp",
	}
	if dhcp.Domain != "" {
		args = append(args, "--domain="+dhcp.Domain)
	}
	return args
}

// pidArg is the argument by which the network's dnsmasq is recognised.
func (d *Driver) pidArg(uuid string) string { return "--pid-file=" + d.path(uuid, filePID) }

// option is the argument that offers addresses, or nothing at all if there is none.
func option(name string, addresses ...netip.Addr) string {
	values := []string{"--dhcp-option=option:" + name}
	for _, a := range addresses {
		if a.IsValid() {
			values = append(values, a.String())
		}
	}
	return strings.Join(values, ",")
}

// netmask returns the mask of an IPv4 block in dotted form.
func netmask(block netip.Prefix) netip.Addr {
	mask := ^uint32(0) << (32 - block.Bits())
	return netip.AddrFrom4([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}) //nolint:gosec // takes the mask apart
}

// launch starts dnsmasq in the namespace. It turns itself into a daemon with a session of its own, and its first process
// ends when it is ready, or has failed and said why; so it outlives this process, and is nobody's child to wait for.
func (d *Driver) launch(ctx context.Context, n netdriver.Network, s *space) error {
	if _, err := os.Stat(d.opts.DNSMasq); err != nil {
		return fault.New("netlinknet.launch", fault.Invalid, n.UUID, "dnsmasq, which serves DHCP, is not at %q: apt-get install dnsmasq-base", d.opts.DNSMasq)
	}
	lock, err := d.lockStart(ctx, n.ID)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	return d.change(ctx, n.ID, "start", "dnsmasq of "+n.UUID, func() error {
		// Not to be cut off by the caller's giving up: it would leave a daemon half-way.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWithin)
		defer cancel()
		args := d.dhcpArgs(n)
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		var said bytes.Buffer
		c.Stdin, c.Stderr = lock, &said
		c.Env, c.Dir = []string{"LC_ALL=C"}, "/"
		c.WaitDelay = time.Second
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := s.do(c.Run); err != nil {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
		}
		return nil
	})
}

// lockStart waits until no dnsmasq of the network is starting and keeps others from it until the file is closed. A dnsmasq gets the
// file as its standard input, and all of its processes keep it, and so the lock, until the pid file is written; also when
// this process died meanwhile.
func (d *Driver) lockStart(ctx context.Context, id netdriver.ID) (*os.File, error) {
	path := d.path(id.UUID, fileLock)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, d.failed("open", path, err)
	}
	retry := time.NewTicker(time.Millisecond)
	defer retry.Stop()
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !isErrno(err, unix.EWOULDBLOCK, unix.EINTR) {
			_ = f.Close()
			return nil, d.failed("lock", path, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fault.Because("netlinknet.lockStart", fault.Unavailable, id.UUID, ctx.Err(),
				"another start of this network's dnsmasq does not end; see whether one hangs on this node")
		case <-retry.C:
		}
	}
}
