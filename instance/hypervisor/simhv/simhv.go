// Package simhv is a simulated hypervisor: it keeps domains, powers them on and off, writes what their consoles would
// say, and tells whoever watches. It needs no root, no cgo and no guest.
//
// It behaves like a real one where it matters to its users: disks must be there at Start, a definition changes what the
// next start sees, a call can fail, a guest can crash, and the connection can be lost. Its disk files are headers of
// real QCOW2 images without the data, so ten thousand instances need little room; what guests write, at each boot and
// through Driver.Write, is text behind the header, and stays in all copies. A simulated guest has no agent of ours, so the
// sockets of its channels do not appear.
package simhv

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/feed"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/whole"
)

// Options say how big the simulated host is. The zero value is a host that has room for more than 1,000 guests of one
// vCPU and 1 GiB at the scheduler's usual overcommitment.
type Options struct {
	CPUs      int // threads of the host; 0 means 128
	MemoryMiB int // memory of the host; 0 means 2 TiB
	MaxVCPUs  int // most vCPUs of one guest; 0 means 64
	DiskGiB   int // room for disks; 0 means 1 PiB. What simulated disks really take is next to nothing

	Version string // of the simulated hypervisor; "" means "simulated"
	Switch  Switch // what the guests' NICs are plugged into; nil for nothing

	GuestAgent bool // guests with a channel for it run qemu-guest-agent, which freezes their file systems for Hold
}

// Switch is what joins NICs to bridges, such as a simulated network. It must not call the driver back.
type Switch interface {
	// Plug says that a running guest's NIC with that MAC has joined the bridge.
	Plug(bridge, mac string)
	// Unplug says that it has left it.
	Unplug(bridge, mac string)
}

// Driver is a simulated hypervisor. It is safe for concurrent use.
type Driver struct {
	o     Options
	feed  feed.Feed
	files whole.Maker

	mu      sync.Mutex
	domains map[string]*domain // guarded by mu
	failing map[string][]error // guarded by mu; by method
	lost    bool               // guarded by mu
}

// A domain is what the simulation knows of one guest.
type domain struct {
	next  hypervisor.Domain // what the next start sees
	power hypervisor.Power
	nics  []hypervisor.NIC // plugged in: those of the running guest

	// io is held while disks change, and locked before Driver.mu. It guards what follows, and the files of the disks.
	io       sync.Mutex
	now      hypervisor.Domain // what the running guest has
	boots    int
	held     map[string]bool // by path: disks of the running guest over which there is a held file
	frozenBy string          // the agent that froze the guest when they began to be held
}

// runs reports whether the guest is there, paused or not.
func (dom *domain) runs() bool {
	return dom.power == hypervisor.PowerOn || dom.power == hypervisor.PowerPaused
}

var _ hypervisor.Driver = (*Driver)(nil)

// New returns a host without guests.
func New(o Options) *Driver {
	return &Driver{
		o: Options{
			CPUs:       cmp.Or(o.CPUs, 128),
			MemoryMiB:  cmp.Or(o.MemoryMiB, 2<<20),
			MaxVCPUs:   cmp.Or(o.MaxVCPUs, 64),
			DiskGiB:    cmp.Or(o.DiskGiB, 1<<20),
			Version:    cmp.Or(o.Version, "simulated"),
			Switch:     o.Switch,
			GuestAgent: o.GuestAgent,
		},
		files:   whole.Maker{Volatile: true},
		domains: map[string]*domain{},
		failing: map[string][]error{},
	}
}

// Host implements hypervisor.Driver.
func (d *Driver) Host(ctx context.Context) (hypervisor.Host, error) {
	if err := d.ready(ctx, "Host", ""); err != nil {
		return hypervisor.Host{}, err
	}
	return hypervisor.Host{
		Version:     d.o.Version,
		Accelerator: "simulated",
		Reason:      "this host is simulated",
		CPUs:        d.o.CPUs,
		MemoryMiB:   d.o.MemoryMiB,
		MaxVCPUs:    d.o.MaxVCPUs,
		DiskBytes:   int64(d.o.DiskGiB) << 30,
	}, nil
}

// Define implements hypervisor.Driver.
func (d *Driver) Define(ctx context.Context, dom hypervisor.Domain) error {
	const op = "simhv.Define"
	if err := d.ready(ctx, "Define", dom.ID); err != nil {
		return err
	}
	switch {
	case dom.ID == "":
		return fault.New(op, fault.Invalid, "", "a domain needs an ID")
	case dom.VCPUs < 1 || dom.VCPUs > d.o.MaxVCPUs:
		return fault.New(op, fault.Invalid, dom.ID, "%d vCPUs asked for, a guest of this host has 1 to %d", dom.VCPUs, d.o.MaxVCPUs)
	case dom.MemoryMiB < 1:
		return fault.New(op, fault.Invalid, dom.ID, "%d MiB of memory asked for, want at least 1", dom.MemoryMiB)
	}
	dom.Disks, dom.NICs = slices.Clone(dom.Disks), slices.Clone(dom.NICs)
	d.mu.Lock()
	defer d.mu.Unlock()
	if old, ok := d.domains[dom.ID]; ok {
		old.next = dom
		return nil
	}
	d.domains[dom.ID] = &domain{next: dom, power: hypervisor.PowerOff}
	return nil
}

// Start implements hypervisor.Driver.
func (d *Driver) Start(ctx context.Context, id string) error {
	if err := d.ready(ctx, "Start", id); err != nil {
		return err
	}
	dom, _ := d.guest(id)
	if dom == nil {
		return unknown("simhv.Start", id)
	}
	dom.io.Lock()
	defer dom.io.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.domains[id] != dom {
		return unknown("simhv.Start", id) // it was removed meanwhile
	}
	if dom.runs() {
		return nil
	}
	if err := checkFiles(dom.next); err != nil {
		return err
	}
	dom.now, dom.held, dom.frozenBy = dom.next, map[string]bool{}, ""
	if err := errors.Join(writeConsole(dom.now, dom.boots+1), dom.boot(dom.boots+1)); err != nil {
		return err
	}
	dom.boots++
	dom.nics = slices.Clone(dom.next.NICs)
	for _, n := range dom.nics {
		d.plug(n)
	}
	d.setPower(id, dom, hypervisor.PowerOn)
	return nil
}

// Stop implements hypervisor.Driver.
func (d *Driver) Stop(ctx context.Context, id string) error {
	if err := d.ready(ctx, "Stop", id); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, ok := d.domains[id]
	if !ok {
		return unknown("simhv.Stop", id)
	}
	d.unplug(dom)
	d.setPower(id, dom, hypervisor.PowerOff)
	return nil
}

// Remove implements hypervisor.Driver.
func (d *Driver) Remove(ctx context.Context, id string) error {
	if err := d.ready(ctx, "Remove", id); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(id)
	return nil
}

// List implements hypervisor.Driver.
func (d *Driver) List(ctx context.Context) ([]hypervisor.Status, error) {
	if err := d.ready(ctx, "List", ""); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]hypervisor.Status, 0, len(d.domains))
	for id, dom := range d.domains {
		all = append(all, hypervisor.Status{ID: id, Power: dom.power})
	}
	slices.SortFunc(all, func(a, b hypervisor.Status) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// Watch implements hypervisor.Driver.
func (d *Driver) Watch(ctx context.Context) iter.Seq2[hypervisor.Event, error] {
	d.mu.Lock()
	err := d.nextFailure("Watch", "")
	d.mu.Unlock()
	if err != nil {
		return func(yield func(hypervisor.Event, error) bool) { yield(hypervisor.Event{}, err) }
	}
	return d.feed.Watch(ctx)
}

// setPower changes dom's power and tells the watchers if that is a change. The caller holds d.mu.
func (d *Driver) setPower(id string, dom *domain, p hypervisor.Power) {
	if dom.power == p {
		return
	}
	dom.power = p
	d.send(hypervisor.Event{ID: id, Power: p})
}

// forget drops a domain, whatever it does. The caller holds d.mu.
func (d *Driver) forget(id string) bool {
	dom, ok := d.domains[id]
	if !ok {
		return false
	}
	d.unplug(dom)
	delete(d.domains, id)
	d.send(hypervisor.Event{ID: id})
	return true
}

// send tells the watchers, unless the connection is lost. The caller holds d.mu.
func (d *Driver) send(e hypervisor.Event) {
	if !d.lost {
		d.feed.Send(e)
	}
}

func (d *Driver) plug(n hypervisor.NIC) {
	if d.o.Switch != nil {
		d.o.Switch.Plug(n.Bridge, n.MAC)
	}
}

func (d *Driver) unplug(dom *domain) {
	for _, n := range dom.nics {
		if d.o.Switch != nil {
			d.o.Switch.Unplug(n.Bridge, n.MAC)
		}
	}
	dom.nics = nil
}

func unknown(op, id string) error {
	return fault.New(op, fault.NotFound, id, "domain %s is not defined on this host", id)
}

// ready reports why the method named cannot be called now.
func (d *Driver) ready(ctx context.Context, method, ref string) error {
	op := "simhv." + method
	if err := ctx.Err(); err != nil {
		return fault.Because(op, fault.Unavailable, ref, err, "the call was given up before it began")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost {
		return fault.New(op, fault.Unavailable, ref, "the simulated hypervisor does not answer: it is disconnected until Reconnect")
	}
	return d.nextFailure(method, ref)
}

// nextFailure returns the error that FailNext has put up for this call, if any. The caller holds d.mu.
func (d *Driver) nextFailure(method, ref string) error {
	queue := d.failing[method]
	if len(queue) == 0 {
		return nil
	}
	d.failing[method] = queue[1:]
	return fault.Wrap("simhv."+method, ref, queue[0])
}
