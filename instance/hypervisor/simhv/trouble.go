package simhv

import (
	"slices"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// FailNext makes the next call of that method of hypervisor.Driver, such as "Start", fail with err before it has any
// effect. Several are used up in order. It panics if there is no such method, since a test that names one wrongly would
// prove nothing.
func (d *Driver) FailNext(method string, err error) {
	methods := []string{"Host", "MakeDisk", "Convert", "Define", "Start", "Stop", "Remove", "List", "Watch", "Hold", "Release", "CopyDisk"}
	if !slices.Contains(methods, method) {
		panic("simhv: hypervisor.Driver has no method " + method)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing[method] = append(d.failing[method], err)
}

// Crash makes a running guest die without having been asked to. It fails with fault.NotFound if no such guest runs.
func (d *Driver) Crash(id string) error { return d.end("simhv.Crash", id, hypervisor.PowerCrashed) }

// GuestShutdown makes a running guest power itself off. It fails with fault.NotFound if no such guest runs.
func (d *Driver) GuestShutdown(id string) error {
	return d.end("simhv.GuestShutdown", id, hypervisor.PowerOff)
}

func (d *Driver) end(op, id string, p hypervisor.Power) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, ok := d.domains[id]
	if !ok || dom.power != hypervisor.PowerOn {
		return fault.New(op, fault.NotFound, id, "no guest %s runs on this host", id)
	}
	d.unplug(dom)
	d.setPower(id, dom, p)
	return nil
}

// Vanish removes a domain behind everybody's back, as an administrator with virsh would. It fails with fault.NotFound
// if there is none of that ID.
func (d *Driver) Vanish(id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.forget(id) {
		return unknown("simhv.Vanish", id)
	}
	return nil
}

// Disconnect makes every call fail with fault.Unavailable until Reconnect. Guests run on, and whoever watches hears
// nothing of what they do.
func (d *Driver) Disconnect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = true
}

// Reconnect ends Disconnect. Whoever watches gets an event with an empty ID.
func (d *Driver) Reconnect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost {
		d.lost = false
		d.feed.Send(hypervisor.Event{})
	}
}
