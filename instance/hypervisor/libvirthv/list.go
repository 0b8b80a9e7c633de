//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"cmp"
	"context"
	"slices"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// List implements hypervisor.Driver. Two calls to libvirt tell of all guests that run, however many, and one more of
// each that does not. (Libvirt's call for statistics would do with one, but takes longer than all these.)
func (d *Driver) List(ctx context.Context) ([]hypervisor.Status, error) {
	found := make(chan []hypervisor.Status, 1)
	err := d.call(ctx, "libvirthv.List", "", func(c *libvirt.Connect) error {
		all, err := d.list(c)
		found <- all
		return err
	})
	if err != nil {
		return nil, err
	}
	return <-found, nil
}

func (d *Driver) list(c *libvirt.Connect) ([]hypervisor.Status, error) {
	running := map[string]bool{}
	err := d.each(c, libvirt.CONNECT_LIST_DOMAINS_RUNNING, func(ld *libvirt.Domain) error {
		id, is, err := d.own.known(ld)
		running[id] = is
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []hypervisor.Status
	err = d.each(c, 0, func(ld *libvirt.Domain) error {
		id, is, err := d.own.known(ld)
		if err != nil || !is {
			return err
		}
		p := hypervisor.PowerOn
		if !running[id] {
			state, reason, err := ld.GetState()
			if err != nil {
				return err
			}
			p = d.pauses.seen(id, powerOf(state, reason))
		}
		all = append(all, hypervisor.Status{ID: id, Power: p})
		return nil
	})
	slices.SortFunc(all, func(a, b hypervisor.Status) int { return cmp.Compare(a.ID, b.ID) })
	return all, err
}

// each runs f on every domain there is. One that vanishes meanwhile is passed over.
func (d *Driver) each(c *libvirt.Connect, flags libvirt.ConnectListAllDomainsFlags, f func(*libvirt.Domain) error) error {
	domains, err := c.ListAllDomains(flags)
	if err != nil {
		return err
	}
	for i := range domains {
		if e := f(&domains[i]); e != nil && !hasCode(e, libvirt.ERR_NO_DOMAIN) {
			err = cmp.Or(err, e)
		}
		d.free(&domains[i])
	}
	return err
}

// powerOf says what a state of libvirt means. A guest whose QEMU died is off for libvirt; the reason tells.
func powerOf(s libvirt.DomainState, reason int) hypervisor.Power {
	switch s {
	case libvirt.DOMAIN_PAUSED, libvirt.DOMAIN_PMSUSPENDED:
		return hypervisor.PowerPaused
	case libvirt.DOMAIN_CRASHED:
		return hypervisor.PowerCrashed
	case libvirt.DOMAIN_SHUTOFF:
		if libvirt.DomainShutoffReason(reason) == libvirt.DOMAIN_SHUTOFF_CRASHED {
			return hypervisor.PowerCrashed
		}
		return hypervisor.PowerOff
	case libvirt.DOMAIN_NOSTATE, libvirt.DOMAIN_RUNNING, libvirt.DOMAIN_BLOCKED, libvirt.DOMAIN_SHUTDOWN:
	}
	return hypervisor.PowerOn
}
