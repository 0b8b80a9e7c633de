//go:build linux

package netlinknet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/internal/pretendhost"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// BenchArgs says what to measure.
type BenchArgs struct {
	Network netdriver.Network
	What    string // "fresh", "bare", "unchanged", "remove" or "list"
	Count   int
}

// Bench does something many times inside the host and returns how long it took, without what is needed around it.
func (d *Daemon) Bench(a BenchArgs, took *time.Duration) error {
	driver, err := d.get()
	if err != nil {
		return err
	}
	ctx := context.Background()
	ensure := func() error { return driver.Ensure(ctx, a.Network) }
	remove := func() error { return driver.Remove(ctx, a.Network.ID) }
	nothing := func() error { return nil }
	list := func() error { _, err := driver.List(ctx); return err }
	bare := func() error { return bareObjects(driver, a.Network) }
	unbare := func() error {
		for _, name := range []string{a.Network.Veth("o"), a.Network.Link(), a.Network.Bridge()} {
			if l, err := driver.host.link(name); l != nil || err != nil {
				// The veth may also go by itself, with its namespace.
				if err := errors.Join(err, gone(driver.host.LinkDel(l))); err != nil {
					return err
				}
			}
		}
		return nil
	}
	phases := map[string][3]func() error{ // before, measured, after
		"fresh":     {nothing, ensure, remove},
		"bare":      {nothing, bare, unbare},
		"unchanged": {ensure, ensure, nothing},
		"remove":    {ensure, remove, nothing},
		"list":      {nothing, list, nothing},
	}[a.What]
	for range a.Count {
		if err := phases[0](); err != nil {
			return err
		}
		start := time.Now()
		if err := phases[1](); err != nil {
			return err
		}
		*took += time.Since(start)
		if err := phases[2](); err != nil {
			return err
		}
	}
	return remove()
}

// bareObjects makes the links of a network as briefly as netlink allows: without a look at what is there, marks, or settings.
// A gateway's namespace has no name, and goes when this returns.
func bareObjects(d *Driver, n netdriver.Network) error {
	h := d.host
	attrs := func(name string) netlink.LinkAttrs {
		a := netlink.NewLinkAttrs()
		a.Name, a.MTU = name, n.MTU
		return a
	}
	bridge := &netlink.Bridge{LinkAttrs: attrs(n.Bridge())}
	if err := h.LinkAdd(bridge); err != nil {
		return err
	}
	m, err := d.lookAtMesh()
	if err != nil {
		return err
	}
	vx := &netlink.Vxlan{LinkAttrs: attrs(n.Link()), VxlanId: n.VXLAN, VtepDevIndex: m.index, SrcAddr: m.ip.AsSlice(), Port: vxlanPort}
	if err := h.LinkAdd(vx); err != nil {
		return err
	}
	for _, p := range n.Peers {
		if err := h.NeighAppend(peerEntry(vx.Index, p)); err != nil {
			return err
		}
	}
	for _, f := range []func() error{
		func() error { return h.LinkSetMaster(vx, bridge) }, func() error { return h.LinkSetUp(vx) }, func() error { return h.LinkSetUp(bridge) },
	} {
		if err := f(); err != nil {
			return err
		}
	}
	if n.Gateway == nil {
		return nil
	}
	return onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		s, err := openSpace("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		defer s.close()
		outer := &netlink.Veth{LinkAttrs: attrs(n.Veth("o")), PeerName: n.Veth("i"), PeerNamespace: netlink.NsFd(int(s.file.Fd()))}
		if err := h.LinkAdd(outer); err != nil {
			return err
		}
		inner, err := s.LinkByName(n.Veth("i"))
		if err != nil {
			return err
		}
		address := &netlink.Addr{IPNet: &net.IPNet{IP: n.Gateway.Address.Addr().AsSlice(), Mask: net.CIDRMask(n.Gateway.Address.Bits(), 32)}}
		for _, f := range []func() error{
			func() error { return h.LinkSetMaster(outer, bridge) }, func() error { return h.LinkSetUp(outer) },
			func() error { return s.LinkSetUp(inner) }, func() error { return s.AddrAdd(inner, address) },
		} {
			if err := f(); err != nil {
				return err
			}
		}
		runtime.KeepAlive(s)
		return nil
	})
}

// BenchmarkNetwork measures calls inside a pretend host; the time of the connection to it is not in it.
func BenchmarkNetwork(b *testing.B) {
	m := newMachine(b, pretendhost.Options{Address: netip.MustParsePrefix("10.90.0.1/24")}, "eth0")
	plain, gateway, dhcp := joined(1), joined(1), joined(1, 2, 3, 4)
	plain.Gateway, gateway.Gateway.DHCP = nil, nil
	for _, what := range []string{"bare", "fresh", "unchanged", "remove"} {
		for _, c := range []struct {
			name string
			n    netdriver.Network
		}{{"plain", plain}, {"gateway", gateway}, {"dhcp", dhcp}} {
			if what == "bare" && c.name == "dhcp" {
				continue // netlink has no DHCP
			}
			b.Run(what+"/"+c.name, func(b *testing.B) { m.bench(b, what, c.n) })
		}
	}
	b.Run("list/of100", func(b *testing.B) {
		for i := range 100 {
			n := joined(10 + i)
			n.Gateway = nil
			m.ensure(b, n)
		}
		m.bench(b, "list", plain)
	})
}

func (m *machine) bench(b *testing.B, what string, n netdriver.Network) {
	b.Helper()
	var took time.Duration
	m.daemon.must(b, "Daemon.Bench", BenchArgs{n, what, b.N}, &took)
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/op")
}
