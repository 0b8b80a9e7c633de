//go:build linux

package netlinknet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// change runs f, which changes an object of the host, as a step.
func (d *Driver) change(ctx context.Context, id netdriver.ID, what, object string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return fault.Because("netlinknet", fault.Unavailable, id.UUID, err, "given up before: %s %s", what, object)
	}
	return step.Do(ctx, "netlinknet: "+what, object, func() error {
		if err := f(); err != nil {
			return d.failed(what, object, err)
		}
		return nil
	})
}

// retry runs a dump again while the kernel says that the list changed under it, as it often does on a busy host.
func retry[T any](dump func() (T, error)) (T, error) {
	const tries = 30
	for range tries - 1 {
		if all, err := dump(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return dump()
}

// isErrno reports whether err is one of the errnos.
func isErrno(err error, errnos ...unix.Errno) bool {
	errno, ok := errors.AsType[unix.Errno](err)
	return ok && slices.Contains(errnos, errno)
}

// absent reports whether err says that there is no such link.
func absent(err error) bool {
	_, notFound := errors.AsType[netlink.LinkNotFoundError](err)
	return notFound || isErrno(err, unix.ENODEV)
}

// gone is err, or nil if err says that what was to be deleted is not there.
func gone(err error) error {
	if absent(err) || isErrno(err, unix.ENOENT, unix.ESRCH, unix.EADDRNOTAVAIL) {
		return nil
	}
	return err
}

// want is what a link shall be.
type want struct {
	mtu      int
	master   int      // index of the bridge it is a port of; 0 for none
	settings []string // of the host's below /proc/sys/net that shall be 1
}

// shape makes a link of the network in s what it shall be, and up. The settings follow the MTU, because the kernel forgets
// those of IPv6 while an MTU is too small for it; and a link comes up last.
func (d *Driver) shape(ctx context.Context, id netdriver.ID, s *space, l netlink.Link, w want) error {
	a := l.Attrs()
	if a.MTU != w.mtu {
		err := d.change(ctx, id, "set the MTU of", a.Name, func() error { return s.LinkSetMTU(l, w.mtu) })
		if err != nil {
			return err
		}
	}
	if err := d.ensureSettings(ctx, id, a.Name, w.settings); err != nil {
		return err
	}
	if a.MasterIndex != w.master {
		err := d.change(ctx, id, "plug in", a.Name, func() error { return s.LinkSetMasterByIndex(l, w.master) })
		if err != nil {
			return err
		}
	}
	if a.RawFlags&unix.IFF_UP == 0 {
		return d.change(ctx, id, "set up", a.Name, func() error { return s.LinkSetUp(l) })
	}
	return nil
}

// ensureSettings sets settings of the host below /proc/sys/net to 1. That folder shows the network namespace of the thread that
// looks. A kernel without IPv6, or a link too small for it, has no settings for it, and needs none.
func (d *Driver) ensureSettings(ctx context.Context, id netdriver.ID, name string, settings []string) error {
	for _, setting := range settings {
		path := "/proc/sys/net/" + setting
		value, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(value)) == "1" || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err = d.change(ctx, id, "set "+filepath.Base(setting)+" of", name, func() error { return writeSetting(path) })
		if err != nil {
			return err
		}
	}
	return nil
}

// writeSetting sets a setting of the kernel to 1. Its file exists, so the mode does not matter.
func writeSetting(path string) error {
	return os.WriteFile(path, []byte("1"), 0)
}

// noIPv6 is the setting that keeps the host from speaking IPv6 on a link.
func noIPv6(name string) string { return "ipv6/conf/" + name + "/disable_ipv6" }

// setMark marks a link that was just made. It also sets what must hold before the link comes up.
func (d *Driver) setMark(ctx context.Context, id netdriver.ID, s *space, name string) error {
	return d.change(ctx, id, "mark", name, func() error {
		l, err := s.LinkByName(name)
		if err != nil {
			return err
		}
		return s.LinkSetAlias(l, d.mark(id))
	})
}

// deleteLink deletes the network's link by that name, if it is there and the network's.
func (d *Driver) deleteLink(ctx context.Context, id netdriver.ID, name, kind string) error {
	l, _, err := d.owned(id, name, kind)
	if errors.Is(err, fault.Conflict) {
		return nil // somebody else's, so not ours to delete
	}
	if l == nil || err != nil {
		return err
	}
	return d.change(ctx, id, "delete link", name, func() error { return gone(d.host.LinkDel(l)) })
}
