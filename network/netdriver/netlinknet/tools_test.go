//go:build linux

package netlinknet

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

// Tools looks at a host, and breaks it by hand.
type Tools struct{}

// Inventory lists what a driver could have made. stateDir is its folder.
func (Tools) Inventory(stateDir string, reply *[]string) error {
	host, err := openSpace("/proc/self/ns/net")
	if err != nil {
		return err
	}
	defer host.close()
	lines, err := inventoryOf(host, "host")
	if err != nil {
		return err
	}
	spaces, err := os.ReadDir(netnsDir)
	if err != nil {
		return err
	}
	for _, e := range spaces {
		path := netnsDir + "/" + e.Name()
		if is, _ := isSpace(path); !is {
			lines = append(lines, "plain file "+path)
			continue
		}
		s, err := openSpace(path)
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("namespace %s #%d", e.Name(), s.inode))
		inner, err := inventoryOf(s, e.Name())
		s.close()
		if err != nil {
			return err
		}
		lines = append(lines, inner...)
	}
	files, err := filesOf(stateDir)
	if err != nil {
		return err
	}
	*reply = slices.Concat(lines, files, processesOf(stateDir))
	slices.Sort(*reply)
	return nil
}

// inventoryOf lists the links of a namespace with what a driver sets of them.
func inventoryOf(s *space, where string) (lines []string, err error) {
	links, err := retry(s.LinkList)
	if err != nil {
		return nil, err
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	for _, l := range links {
		a := l.Attrs()
		if strings.HasPrefix(a.Name, "tap") {
			continue
		}
		line := fmt.Sprintf("link %s: %s #%d %s mtu %d master %q up %t alias %q group %d", where, a.Name, a.Index, l.Type(), a.MTU,
			names[a.MasterIndex], a.RawFlags&unix.IFF_UP != 0, a.Alias, a.Group)
		if v, ok := l.(*netlink.Vxlan); ok {
			line += fmt.Sprintf(" id %d port %d local %s learning %t", v.VxlanId, v.Port, v.SrcAddr, v.Learning)
		}
		addresses, err := retry(func() ([]netlink.Addr, error) { return s.AddrList(l, netlink.FAMILY_ALL) })
		if err != nil {
			return nil, err
		}
		for _, addr := range addresses {
			line += " " + addr.IPNet.String()
		}
		settings, err := settingsOf(s, a.Name)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line+settings)
	}
	entries, err := retry(func() ([]netlink.Neigh, error) { return s.NeighList(0, unix.AF_BRIDGE) })
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IP != nil {
			lines = append(lines, fmt.Sprintf("peer %s: %s %s %s", where, names[e.LinkIndex], e.HardwareAddr, e.IP))
		}
	}
	return lines, nil
}

// settingsOf lists settings of a link outside netlink's reach, and a bridge's.
func settingsOf(s *space, name string) (settings string, err error) {
	err = s.do(func() error {
		for _, setting := range []string{"ipv6/conf/" + name + "/disable_ipv6", "ipv4/conf/" + name + "/arp_notify"} {
			value, err := os.ReadFile("/proc/sys/net/" + setting)
			if err != nil {
				return err
			}
			settings += fmt.Sprintf(" %s=%s", filepath.Base(setting), strings.TrimSpace(string(value)))
		}
		if strings.HasPrefix(name, "br-") {
			out, err := exec.Command("ip", "-d", "link", "show", name).Output()
			if err != nil {
				return err
			}
			words := strings.Fields(string(out))
			for i, w := range words {
				if slices.Contains([]string{"forward_delay", "ageing_time", "stp_state", "mcast_snooping"}, w) {
					settings += " " + w + "=" + words[i+1]
				}
			}
		}
		return nil
	})
	return settings, err
}

// filesOf lists the files below dir, with their inodes.
func filesOf(dir string) (lines []string, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return errors.New("no inode")
		}
		lines = append(lines, fmt.Sprintf("file %s %s #%d", path, info.Mode(), stat.Ino))
		return nil
	})
	return lines, err
}

// processesOf lists the processes whose command line speaks of dir.
func processesOf(dir string) (lines []string) {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, e := range entries {
		pid, _ := strconv.Atoi(filepath.Base(e))
		if args := strings.Join(cmdlineOf(pid), " "); strings.Contains(args, dir) {
			lines = append(lines, fmt.Sprintf("process #%d %s", pid, args))
		}
	}
	return lines
}

// DamageArgs says what to break.
type DamageArgs struct {
	ID       netdriver.ID
	StateDir string
	Damage   string
}

// damage breaks one part of a network on the host.
type damage struct {
	name string
	do   func(host *space, a DamageArgs) error
}

// damages returns everything that can be broken, in the order of trying.
func damages() []damage {
	return []damage{
		{"the bridge was deleted", func(h *space, a DamageArgs) error { return onLink(h, a.ID.Bridge(), h.LinkDel) }},
		{"the bridge was set down", func(h *space, a DamageArgs) error { return onLink(h, a.ID.Bridge(), h.LinkSetDown) }},
		{"spanning tree was turned on", func(h *space, a DamageArgs) error {
			return exec.Command("ip", "link", "set", a.ID.Bridge(), "type", "bridge", "stp_state", "1", "ageing_time", "300").Run()
		}},
		{"IPv6 was turned on", func(_ *space, a DamageArgs) error {
			return os.WriteFile("/proc/sys/net/ipv6/conf/"+a.ID.Bridge()+"/disable_ipv6", []byte("0"), 0)
		}},
		{"the VXLAN link was deleted", func(h *space, a DamageArgs) error { return onLink(h, a.ID.Link(), h.LinkDel) }},
		{"the VXLAN link was set down", func(h *space, a DamageArgs) error { return onLink(h, a.ID.Link(), h.LinkSetDown) }},
		{"the VXLAN link was unplugged", func(h *space, a DamageArgs) error { return onLink(h, a.ID.Link(), h.LinkSetNoMaster) }},
		{"the VXLAN link was made with another id", otherVXLAN},
		{"the peer was removed", func(h *space, a DamageArgs) error { return onPeers(h, a.ID, h.NeighDel) }},
		{"a peer was added", func(h *space, a DamageArgs) error {
			return onLink(h, a.ID.Link(), func(l netlink.Link) error {
				e := peerEntry(l.Attrs().Index, addrOf(net.IPv4(10, 90, 0, 99)))
				return h.NeighAppend(e)
			})
		}},
		{"the veth was deleted", func(h *space, a DamageArgs) error { return onLink(h, a.ID.Veth("o"), h.LinkDel) }},
		{"the veth was unplugged", func(h *space, a DamageArgs) error { return onLink(h, a.ID.Veth("o"), h.LinkSetNoMaster) }},
		{"the veth's MTU was changed", func(h *space, a DamageArgs) error {
			return onLink(h, a.ID.Veth("o"), func(l netlink.Link) error { return h.LinkSetMTU(l, 800) })
		}},
		{"the veth's inner end was set down", inside((*netlink.Handle).LinkSetDown)},
		{"the veth's inner MTU was changed", inside(func(h *netlink.Handle, l netlink.Link) error { return h.LinkSetMTU(l, 800) })},
		{"the veth's inner end was deleted", inside((*netlink.Handle).LinkDel)},
		{"the router's address was removed", inside(flush)},
		{"another address was added", inside(func(h *netlink.Handle, l netlink.Link) error {
			return h.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 7, 0, 77).To4(), Mask: net.CIDRMask(24, 32)}})
		})},
		{"dnsmasq was killed", func(_ *space, a DamageArgs) error { return killDHCP(a) }},
		{"dnsmasq was killed and its pid file removed", func(_ *space, a DamageArgs) error {
			return errors.Join(killDHCP(a), os.Remove(filepath.Join(a.StateDir, "networks", a.ID.UUID, filePID)))
		}},
		{"the pid file was removed", func(_ *space, a DamageArgs) error {
			return os.Remove(filepath.Join(a.StateDir, "networks", a.ID.UUID, filePID))
		}},
		{"the hosts file was removed", func(_ *space, a DamageArgs) error {
			return os.Remove(filepath.Join(a.StateDir, "networks", a.ID.UUID, fileHosts))
		}},
		{"the state folder was removed", func(_ *space, a DamageArgs) error {
			return os.RemoveAll(filepath.Join(a.StateDir, "networks", a.ID.UUID))
		}},
		{"the namespace was unmounted", func(_ *space, a DamageArgs) error { return unix.Unmount(spacePath(a.ID), unix.MNT_DETACH) }},
		{"the namespace was deleted", func(_ *space, a DamageArgs) error { return exec.Command("ip", "netns", "del", a.ID.UUID).Run() }},
	}
}

// Damage breaks something.
func (Tools) Damage(a DamageArgs, _ *int) error {
	host, err := openSpace("/proc/self/ns/net")
	if err != nil {
		return err
	}
	defer host.close()
	for _, d := range damages() {
		if d.name == a.Damage {
			return d.do(host, a)
		}
	}
	return fmt.Errorf("no damage is called %s", a.Damage)
}

func onLink(h *space, name string, f func(netlink.Link) error) error {
	l, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return f(l)
}

// inside does something to the inner end of the veth.
func inside(f func(*netlink.Handle, netlink.Link) error) func(*space, DamageArgs) error {
	return func(_ *space, a DamageArgs) error {
		s, err := openSpace(spacePath(a.ID))
		if err != nil {
			return err
		}
		defer s.close()
		return onLink(s, a.ID.Veth("i"), func(l netlink.Link) error { return f(s.Handle, l) })
	}
}

func flush(h *netlink.Handle, l netlink.Link) error {
	all, err := h.AddrList(l, netlink.FAMILY_V4)
	for _, a := range all {
		err = errors.Join(err, h.AddrDel(l, &a))
	}
	return err
}

// otherVXLAN replaces the VXLAN link by one that bears the mark and is wrong.
func otherVXLAN(h *space, a DamageArgs) error {
	return onLink(h, a.ID.Link(), func(l netlink.Link) error {
		old, ok := l.(*netlink.Vxlan)
		if !ok {
			return errors.New("no VXLAN link")
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name = a.ID.Link()
		wrong := &netlink.Vxlan{LinkAttrs: attrs, VxlanId: 4711, VtepDevIndex: old.VtepDevIndex, Port: 8472}
		if err := errors.Join(h.LinkDel(l), h.LinkAdd(wrong)); err != nil {
			return err
		}
		return onLink(h, a.ID.Link(), func(l netlink.Link) error { return h.LinkSetAlias(l, old.Alias) })
	})
}

func onPeers(h *space, id netdriver.ID, f func(*netlink.Neigh) error) error {
	return onLink(h, id.Link(), func(l netlink.Link) error {
		all, err := h.NeighList(l.Attrs().Index, unix.AF_BRIDGE)
		for _, e := range all {
			if e.IP != nil {
				err = errors.Join(err, f(&e))
			}
		}
		return err
	})
}

func killDHCP(a DamageArgs) error {
	content, err := os.ReadFile(filepath.Join(a.StateDir, "networks", a.ID.UUID, filePID))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	p := &process{fd: fd, pid: pid}
	defer p.close()
	if err := p.signal(unix.SIGKILL); err != nil {
		return err
	}
	_, err = p.wait(killWithin)
	return err
}
