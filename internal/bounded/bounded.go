// Package bounded gives every call through the seams to the host an end. A hypervisor that hangs, and keeps its caller for
// as long as that allows, would otherwise keep an instance in the state it is in, and with it the worker that serves others.
package bounded

import (
	"context"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// Limit is how long one call may take. The slowest that is well, the start of a large guest on a busy host, takes seconds.
const Limit = time.Minute

// do runs a call that ends after Limit at the latest, with fault.Unavailable, if it heeds its context.
func do(ctx context.Context, who, method, ref string, f func(context.Context) error) error {
	late := fault.New("bounded."+method, fault.Unavailable, ref, "the %s did not answer in %s; see whether it hangs on this node", who, Limit)
	within, cancel := context.WithTimeoutCause(ctx, Limit, late)
	defer cancel()
	err := f(within)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return late
	}
	return err
}

// Hypervisor bounds the calls of d, but for Watch, which lasts, and for Convert, CopyDisk and Release, which take what the
// sizes of images and disks demand.
func Hypervisor(d hypervisor.Driver) hypervisor.Driver { return boundedHypervisor{d} }

type boundedHypervisor struct{ hypervisor.Driver }

func (d boundedHypervisor) do(ctx context.Context, method, ref string, f func(context.Context) error) error {
	return do(ctx, "hypervisor", method, ref, f)
}

func (d boundedHypervisor) Host(ctx context.Context) (h hypervisor.Host, err error) {
	err = d.do(ctx, "Host", "", func(ctx context.Context) (err error) { h, err = d.Driver.Host(ctx); return err })
	return h, err
}

func (d boundedHypervisor) List(ctx context.Context) (all []hypervisor.Status, err error) {
	err = d.do(ctx, "List", "", func(ctx context.Context) (err error) { all, err = d.Driver.List(ctx); return err })
	return all, err
}

func (d boundedHypervisor) MakeDisk(ctx context.Context, disk hypervisor.Disk) error {
	return d.do(ctx, "MakeDisk", disk.Path, func(ctx context.Context) error { return d.Driver.MakeDisk(ctx, disk) })
}

func (d boundedHypervisor) Define(ctx context.Context, dom hypervisor.Domain) error {
	return d.do(ctx, "Define", dom.ID, func(ctx context.Context) error { return d.Driver.Define(ctx, dom) })
}

func (d boundedHypervisor) Start(ctx context.Context, id string) error {
	return d.do(ctx, "Start", id, func(ctx context.Context) error { return d.Driver.Start(ctx, id) })
}

func (d boundedHypervisor) Stop(ctx context.Context, id string) error {
	return d.do(ctx, "Stop", id, func(ctx context.Context) error { return d.Driver.Stop(ctx, id) })
}

func (d boundedHypervisor) Remove(ctx context.Context, id string) error {
	return d.do(ctx, "Remove", id, func(ctx context.Context) error { return d.Driver.Remove(ctx, id) })
}

func (d boundedHypervisor) Hold(ctx context.Context, id string, disks []hypervisor.DomainDisk) (frozenBy string, err error) {
	err = d.do(ctx, "Hold", id, func(ctx context.Context) (err error) { frozenBy, err = d.Driver.Hold(ctx, id, disks); return err })
	return frozenBy, err
}

// Network bounds the calls of d.
func Network(d netdriver.Driver) netdriver.Driver { return boundedNetwork{d} }

type boundedNetwork struct{ inner netdriver.Driver }

func (d boundedNetwork) do(ctx context.Context, method, ref string, f func(context.Context) error) error {
	return do(ctx, "network of this node", method, ref, f)
}

func (d boundedNetwork) Info(ctx context.Context) (i netdriver.Info, err error) {
	err = d.do(ctx, "Info", "", func(ctx context.Context) (err error) { i, err = d.inner.Info(ctx); return err })
	return i, err
}

func (d boundedNetwork) List(ctx context.Context) (all []netdriver.ID, err error) {
	err = d.do(ctx, "List", "", func(ctx context.Context) (err error) { all, err = d.inner.List(ctx); return err })
	return all, err
}

func (d boundedNetwork) Ensure(ctx context.Context, n netdriver.Network) error {
	return d.do(ctx, "Ensure", n.UUID, func(ctx context.Context) error { return d.inner.Ensure(ctx, n) })
}

func (d boundedNetwork) Remove(ctx context.Context, id netdriver.ID) error {
	return d.do(ctx, "Remove", id.UUID, func(ctx context.Context) error { return d.inner.Remove(ctx, id) })
}
