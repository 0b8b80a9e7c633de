//go:build linux

package netlinknet

import (
	"errors"
	"io"
	"net/netip"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/shakenfist/shakenfist/internal/needs"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/network/netdriver/netdrivertest"
)

// machine is a pretend host with its workers.
type machine struct {
	*pretendhost.Host
	settings Settings
	daemon   *worker // has the driver
	guests   *worker // has the ports, and looks around
}

// worker is a process of this test binary inside a host.
type worker struct {
	*rpc.Client
	cmd *exec.Cmd
}

// lab is netdrivertest.Lab on pretend hosts.
type lab [2]*machine

func newLab(t testing.TB) *lab {
	t.Helper()
	room := pretendhost.NewLab(t)
	l := &lab{}
	for i := range l {
		l[i] = newMachine(t, pretendhost.Options{
			Name: []string{"h0", "h1"}[i], Lab: room, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 90, 0, byte(i + 1)}), 24),
		}, "eth0")
	}
	return l
}

func newMachine(t testing.TB, o pretendhost.Options, meshNIC string) *machine {
	t.Helper()
	needs.Tools(t, needs.Netlink, "dnsmasq", "ip", "nsenter")
	h := pretendhost.Start(t, o)
	if o.Address.IsValid() { // an address that eth0 gives itself some time later is not the driver's doing
		if _, err := h.Run(t.Context(), "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6"); err != nil {
			t.Fatal(err)
		}
	}
	m := &machine{Host: h, settings: Settings{StateDir: filepath.Join(h.Dir, "state"), Owner: "test", MeshNIC: meshNIC}}
	m.guests = m.start(t)
	m.daemon = m.start(t)
	m.open(t)
	t.Cleanup(func() {
		m.daemon.kill()
		m.guests.kill()
	})
	return m
}

// start starts a worker.
func (m *machine) start(t testing.TB) *worker {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := m.Command(t.Context(), self)
	cmd.Env = append(os.Environ(), workerVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	return &worker{cmd: cmd, Client: rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{out, in})}
}

func (w *worker) kill() {
	_ = w.cmd.Process.Kill()
	_ = w.Close()
	_ = w.cmd.Wait()
}

// must makes a call that cannot fail unless the test is broken.
func (w *worker) must(t testing.TB, method string, args, reply any) {
	t.Helper()
	if err := w.Call(method, args, reply); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

func (m *machine) open(t testing.TB) {
	t.Helper()
	var f Failure
	m.daemon.must(t, "Daemon.Open", m.settings, &f)
	if err := f.err(); err != nil {
		t.Fatalf("Open: %v", err)
	}
}

// reopen kills the daemon and starts another.
func (m *machine) reopen(t testing.TB) {
	t.Helper()
	m.daemon.kill()
	m.daemon = m.start(t)
	m.open(t)
}

func (m *machine) driver() remote { return remote{m.daemon.Client} }

func (m *machine) inventory(t testing.TB) (lines []string) {
	t.Helper()
	m.guests.must(t, "Tools.Inventory", m.settings.StateDir, &lines)
	return lines
}

func (m *machine) ip(t testing.TB, args ...string) {
	t.Helper()
	if _, err := m.Run(t.Context(), "ip", args...); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) Driver(host int) netdriver.Driver { return l[host].driver() }

func (l *lab) Reopen(t testing.TB, host int) netdriver.Driver {
	t.Helper()
	l[host].reopen(t)
	return l.Driver(host)
}

func (l *lab) Inventory(t testing.TB, host int) []string {
	t.Helper()
	return l[host].inventory(t)
}

func (l *lab) Damages() (names []string) {
	for _, d := range damages() {
		names = append(names, d.name)
	}
	return names
}

func (l *lab) Damage(t testing.TB, host int, id netdriver.ID, damage string) {
	t.Helper()
	l[host].guests.must(t, "Tools.Damage", DamageArgs{ID: id, StateDir: l[host].settings.StateDir, Damage: damage}, new(int))
}

func (l *lab) Squat(t testing.TB, host int, id netdriver.ID) {
	t.Helper()
	l[host].ip(t, "link", "add", id.Bridge(), "type", "bridge")
}

func (l *lab) Plug(t testing.TB, host int, n netdriver.Network, mac string) netdrivertest.Port {
	t.Helper()
	p := &port{guests: l[host].guests}
	p.guests.must(t, "Guests.Plug", PlugArgs{n.Bridge(), mac, n.MTU}, &p.number)
	return p
}

// port is a guest's NIC.
type port struct {
	guests *worker
	number int
}

func (p *port) Close() { _ = p.guests.Call("Guests.Unplug", p.number, new(int)) }

func (p *port) DHCP(t testing.TB) (netdrivertest.Lease, bool) {
	t.Helper()
	var reply LeaseReply
	p.guests.must(t, "Guests.DHCP", p.number, &reply)
	return reply.Lease, reply.OK
}

func (p *port) Take(t testing.TB, a netip.Prefix) {
	t.Helper()
	p.guests.must(t, "Guests.Take", TakeArgs{p.number, a}, new(int))
}

func (p *port) Ping(t testing.TB, to netip.Addr, size int) (ok bool) {
	t.Helper()
	p.guests.must(t, "Guests.Ping", PingArgs{p.number, to, size}, &ok)
	return ok
}

func TestConformance(t *testing.T) {
	t.Parallel()
	netdrivertest.TestDriver(t, func(t *testing.T) netdrivertest.Lab {
		t.Helper()
		return newLab(t)
	})
}
