//go:build linux

package netlinknet

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// netnsDir is where iproute2 looks for named network namespaces.
const netnsDir = "/run/netns"

// spacePath is the name of the network's namespace.
func spacePath(id netdriver.ID) string { return netnsDir + "/" + id.UUID }

// isSpace reports whether there is a network namespace at the path, and whether there is anything at all.
func isSpace(path string) (space, anything bool) {
	var at unix.Statfs_t
	if err := unix.Statfs(path, &at); err != nil {
		return false, !errors.Is(err, fs.ErrNotExist)
	}
	return at.Type == unix.NSFS_MAGIC, true
}

// openOwn opens the network's namespace; nil if there is none. It fails with fault.Conflict if the one there is not this
// network's.
func (d *Driver) openOwn(id netdriver.ID) (*space, error) {
	path := spacePath(id)
	if is, _ := isSpace(path); !is {
		return nil, nil //nolint:nilnil // none is an answer here
	}
	s, err := openSpace(path)
	if err != nil {
		return nil, err
	}
	lo, err := s.link("lo")
	if err == nil && (lo == nil || lo.Attrs().Alias != d.mark(id)) {
		err = fault.New("netlinknet.openOwn", fault.Conflict, id.UUID,
			"network namespace %s exists and is not of this network; delete it: ip netns del %s", path, id.UUID)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// ensureSpace opens the network's namespace, and makes it and the network's folder if need be; fresh says that both were
// made. A plain file in the namespace's place is a leftover of ours only where a folder says that we were at work.
func (d *Driver) ensureSpace(ctx context.Context, id netdriver.ID) (s *space, fresh bool, err error) {
	if s, err = d.openOwn(id); err != nil {
		return nil, false, err
	}
	if s != nil {
		if err := d.ensureState(ctx, id); err != nil {
			s.close()
			return nil, false, err
		}
		return s, false, nil
	}
	_, claimed := d.stateOf(id.UUID)
	if _, anything := isSpace(spacePath(id)); anything && !claimed {
		return nil, false, fault.New("netlinknet.ensureSpace", fault.Conflict, id.UUID,
			"%s exists and is not of this cloud; remove it", spacePath(id))
	}
	if err := d.ensureState(ctx, id); err != nil {
		return nil, false, err
	}
	err = d.change(ctx, id, "make network namespace", id.UUID, func() error {
		if err := d.prepareNetnsDir(); err != nil {
			return err
		}
		return onOwnThread(func() error { return makeSpace(spacePath(id), d.mark(id)) })
	})
	if err != nil {
		return nil, false, err
	}
	s, err = d.openOwn(id)
	if s == nil && err == nil {
		err = fault.New("netlinknet.ensureSpace", fault.Unavailable, id.UUID, "network namespace %s vanished at once", spacePath(id))
	}
	return s, !claimed, err
}

// prepareNetnsDir makes the folder of namespaces a shared mount, as iproute2 does: what is unmounted there is then unmounted
// in every mount namespace, and no process elsewhere keeps a namespace alive that nobody can name any more.
func (d *Driver) prepareNetnsDir() error {
	d.runNetns.Lock()
	defer d.runNetns.Unlock()
	if err := os.MkdirAll(netnsDir, 0o755); err != nil { //nolint:gosec // as iproute2 makes it
		return err
	}
	err := unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	// It is no mount point yet.
	if err := unix.Mount(netnsDir, netnsDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
}

// makeSpace makes a namespace and gives it a name once it is whole: marked, loopback up, no IPv6, and announcing its
// addresses to neighbours when they come up. The thread is in it afterwards.
func makeSpace(path, mark string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	for _, setting := range []string{"ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6", "ipv4/conf/default/arp_notify"} {
		if err := writeSetting("/proc/sys/net/" + setting); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	lo, err := h.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := errors.Join(h.LinkSetAlias(lo, mark), h.LinkSetUp(lo)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o444) //nolint:gosec // as iproute2 makes it
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return unix.Mount("/proc/thread-self/ns/net", path, "none", unix.MS_BIND, "")
}

// removeSpace removes the network's namespace, or the plain file that a cut-off call left in its place.
func (d *Driver) removeSpace(ctx context.Context, id netdriver.ID) error {
	path := spacePath(id)
	is, anything := isSpace(path)
	if !anything {
		return nil
	}
	if is {
		s, err := d.openOwn(id)
		if errors.Is(err, fault.Conflict) {
			return nil // somebody else's
		}
		if err != nil {
			return err
		}
		s.close()
	} else if _, claimed := d.stateOf(id.UUID); !claimed {
		return nil // somebody else's
	}
	return d.change(ctx, id, "remove network namespace", id.UUID, func() error {
		for is {
			if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
				return err
			}
			is, _ = isSpace(path)
		}
		return gone(os.Remove(path))
	})
}
