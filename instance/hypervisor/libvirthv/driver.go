//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/feed"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/whole"
)

// Driver runs guests with libvirt. It is safe for concurrent use, and to be closed when it is no longer needed.
type Driver struct {
	o        Options
	kind     string // of domains: "kvm", "qemu" or "test"
	reason   string // for that kind
	link     *link
	own      *ownership
	events   *events
	feed     feed.Feed
	files    whole.Maker
	holding  turns                    // of Hold and Release
	jobs     jobs                     // merges under way
	pauses   pauses                   // guests that stand still for a moment
	maxVCPUs atomic.Int64             // of one guest; 0 until Host has learned it
	user     atomic.Pointer[qemuUser] // once found
	close    context.CancelFunc
}

var _ hypervisor.Driver = (*Driver)(nil)

// Open returns a driver of the libvirt at o.URI. It waits for the first attempt to connect. If that fails the driver
// goes on trying, and its methods fail with fault.Unavailable until it succeeds. Open fails with fault.Invalid if o is
// wrong.
func Open(ctx context.Context, o Options) (*Driver, error) {
	const op = "libvirthv.Open"
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	if err := eventLoop(); err != nil {
		return nil, fault.Because(op, fault.Invalid, "", plain(err),
			"libvirt's library cannot be used; on Debian: apt-get install libvirt0 (and libvirt-daemon-system to run guests)")
	}
	d := &Driver{o: o, own: newOwnership(owner{Cloud: o.Owner, Node: o.Node})}
	d.kind, d.reason = d.accelerator(ctx)
	o.Logger.InfoContext(ctx, "chose the accelerator", slog.String("accelerator", d.kind), slog.String("reason", d.reason))
	d.events = newEvents(d)
	d.link = newLink(o, d.events.register, d.events.regained)
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.close = stop
	go d.link.keep(inner)
	go d.events.run(inner)
	select {
	case <-d.link.decided:
	case <-ctx.Done():
	case <-time.After(firstConnect):
	}
	return d, nil
}

// Close ends the connection. Guests run on. Closing twice is success.
func (d *Driver) Close() error {
	d.close()
	<-d.link.ended
	<-d.events.ended
	return nil
}

// Define implements hypervisor.Driver.
func (d *Driver) Define(ctx context.Context, dom hypervisor.Domain) error {
	const op = "libvirthv.Define"
	text, err := domainXML(d.host(), dom)
	if err != nil {
		return err
	}
	if most := d.maxVCPUs.Load(); most > 0 && int64(dom.VCPUs) > most {
		return fault.New(op, fault.Invalid, dom.ID, "%d vCPUs asked for, a guest of this host has 1 to %d", dom.VCPUs, most)
	}
	if err := d.grantDomain(dom); err != nil {
		return err
	}
	return d.call(ctx, op, dom.ID, func(c *libvirt.Connect) error {
		switch whose, err := d.own.ask(c, dom.ID); {
		case err != nil:
			return err
		case whose == foreign:
			return fault.New(op, fault.Invalid, dom.ID,
				"libvirt has a domain %s that another cloud or node made; remove it with virsh undefine, or use another host", dom.ID)
		}
		ld, err := c.DomainDefineXML(text)
		if err != nil {
			return err
		}
		d.own.learn(dom.ID, true)
		return ld.Free()
	})
}

// Start implements hypervisor.Driver.
func (d *Driver) Start(ctx context.Context, id string) error {
	return d.domain(ctx, "libvirthv.Start", id, func(ld *libvirt.Domain) error {
		if isActive(ld, true) {
			return nil
		}
		if err := checkNotHeld(ld, id); err != nil {
			return err
		}
		err := ld.Create()
		if err == nil || isActive(ld, true) {
			return nil
		}
		return err
	})
}

// Stop implements hypervisor.Driver.
func (d *Driver) Stop(ctx context.Context, id string) error {
	return d.domain(ctx, "libvirthv.Stop", id, destroy)
}

// destroy pulls the plug of ld; if it is not running that is success.
func destroy(ld *libvirt.Domain) error {
	err := ld.Destroy()
	if err == nil || isActive(ld, false) {
		return nil
	}
	return err
}

// isActive reports whether libvirt says that ld runs, or that it does not. Drivers of libvirt differ in the code with
// which they refuse what holds already, so a refusal is followed by this question.
func isActive(ld *libvirt.Domain, want bool) bool {
	active, err := ld.IsActive()
	return err == nil && active == want
}

// Remove implements hypervisor.Driver. The UEFI variables are kept with the disks.
func (d *Driver) Remove(ctx context.Context, id string) error {
	err := d.domain(ctx, "libvirthv.Remove", id, func(ld *libvirt.Domain) error {
		if err := destroy(ld); err != nil {
			return err
		}
		err := ld.UndefineFlags(libvirt.DOMAIN_UNDEFINE_KEEP_NVRAM | libvirt.DOMAIN_UNDEFINE_MANAGED_SAVE |
			libvirt.DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)
		if d.o.mock() && hasCode(err, libvirt.ERR_INVALID_ARG) {
			err = ld.Undefine() // it knows no flags
		}
		return err
	})
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	return d.removeLogs(id)
}

// removeLogs removes what libvirt keeps of a domain that is gone: the log of its qemu, and that log's older parts.
func (d *Driver) removeLogs(id string) error {
	if is, known := d.own.recall(id); known && !is || !d.o.system() || uuid.Validate(id) != nil {
		return nil // somebody else's, or none that this process may see
	}
	logs, err := filepath.Glob(filepath.Join(logDir, domainName(id)+".log*"))
	if err != nil {
		return fault.Wrap("libvirthv.removeLogs", id, err)
	}
	for _, path := range logs {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fault.Because("libvirthv.removeLogs", fault.Internal, id, err, "the domain's log cannot be removed")
		}
	}
	return nil
}

// logDir is where libvirt's qemu driver keeps the logs of system domains.
const logDir = "/var/log/libvirt/qemu"

// Watch implements hypervisor.Driver.
func (d *Driver) Watch(ctx context.Context) iter.Seq2[hypervisor.Event, error] {
	return d.feed.Watch(ctx)
}

// domain runs f on our domain id. It fails with fault.NotFound if there is none of ours.
func (d *Driver) domain(ctx context.Context, op, id string, f func(*libvirt.Domain) error) error {
	return d.call(ctx, op, id, func(c *libvirt.Connect) error {
		ld, err := c.LookupDomainByUUIDString(id)
		if err != nil {
			return err
		}
		defer d.free(ld)
		if _, is, err := d.own.known(ld); err != nil || !is {
			return cmp.Or(err, unknown(op, id))
		}
		return f(ld)
	})
}

// call is link.call with libvirt's errors translated.
func (d *Driver) call(ctx context.Context, op, id string, f func(c *libvirt.Connect) error) error {
	return translate(op, id, d.link.call(ctx, op, id, f))
}

func (d *Driver) free(ld *libvirt.Domain) {
	if err := ld.Free(); err != nil {
		d.o.Logger.Debug("freeing a domain", slog.Any("error", err))
	}
}
