// Package stepped announces every call through a seam as a step, so that a test can fail it or end the process there.
package stepped

import (
	"context"
	"iter"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/store"
)

// do runs a call through a seam as a step, with the hook in its context for the steps within.
func do(ctx context.Context, h step.Hook, name, ref string, f func(context.Context) error) error {
	name, ref = step.NameOf(ctx, name, ref)
	ctx = step.WithHook(ctx, h)
	return step.Do(ctx, name, ref, func() error { return f(ctx) })
}

// Store announces the commits of s. Reads change nothing and are no steps.
func Store(s store.Store, h step.Hook) store.Store { return &stepStore{s, h} }

type stepStore struct {
	store.Store
	hook step.Hook
}

func (s *stepStore) Commit(ctx context.Context, checks []store.Check, ops []store.Op) (r store.Revision, err error) {
	err = do(ctx, s.hook, "commit", "", func(ctx context.Context) error {
		r, err = s.Store.Commit(ctx, checks, ops)
		return err
	})
	return r, err
}

// Hypervisor announces the calls of d that change something.
func Hypervisor(d hypervisor.Driver, h step.Hook) hypervisor.Driver { return &stepHypervisor{d, h} }

type stepHypervisor struct {
	inner hypervisor.Driver
	hook  step.Hook
}

func (d *stepHypervisor) Host(ctx context.Context) (hypervisor.Host, error) { return d.inner.Host(ctx) }

func (d *stepHypervisor) List(ctx context.Context) ([]hypervisor.Status, error) {
	return d.inner.List(ctx)
}

func (d *stepHypervisor) Watch(ctx context.Context) iter.Seq2[hypervisor.Event, error] {
	return d.inner.Watch(ctx)
}

func (d *stepHypervisor) MakeDisk(ctx context.Context, disk hypervisor.Disk) error {
	return do(ctx, d.hook, "hypervisor.MakeDisk", disk.Path, func(ctx context.Context) error { return d.inner.MakeDisk(ctx, disk) })
}

func (d *stepHypervisor) Convert(ctx context.Context, src hypervisor.Image, dst string) error {
	return do(ctx, d.hook, "hypervisor.Convert", dst, func(ctx context.Context) error { return d.inner.Convert(ctx, src, dst) })
}

func (d *stepHypervisor) Define(ctx context.Context, dom hypervisor.Domain) error {
	return do(ctx, d.hook, "hypervisor.Define", dom.ID, func(ctx context.Context) error { return d.inner.Define(ctx, dom) })
}

func (d *stepHypervisor) Start(ctx context.Context, id string) error {
	return do(ctx, d.hook, "hypervisor.Start", id, func(ctx context.Context) error { return d.inner.Start(ctx, id) })
}

func (d *stepHypervisor) Stop(ctx context.Context, id string) error {
	return do(ctx, d.hook, "hypervisor.Stop", id, func(ctx context.Context) error { return d.inner.Stop(ctx, id) })
}

func (d *stepHypervisor) Remove(ctx context.Context, id string) error {
	return do(ctx, d.hook, "hypervisor.Remove", id, func(ctx context.Context) error { return d.inner.Remove(ctx, id) })
}

func (d *stepHypervisor) Hold(ctx context.Context, id string, disks []hypervisor.DomainDisk) (frozenBy string, err error) {
	err = do(ctx, d.hook, "hypervisor.Hold", id, func(ctx context.Context) error {
		frozenBy, err = d.inner.Hold(ctx, id, disks)
		return err
	})
	return frozenBy, err
}

func (d *stepHypervisor) Release(ctx context.Context, id string, disks []hypervisor.DomainDisk) error {
	return do(ctx, d.hook, "hypervisor.Release", id, func(ctx context.Context) error { return d.inner.Release(ctx, id, disks) })
}

func (d *stepHypervisor) CopyDisk(ctx context.Context, c hypervisor.DiskCopy) error {
	return do(ctx, d.hook, "hypervisor.CopyDisk", c.Dst, func(ctx context.Context) error { return d.inner.CopyDisk(ctx, c) })
}

// Network announces the calls of d that change something.
func Network(d netdriver.Driver, h step.Hook) netdriver.Driver { return &stepNetwork{d, h} }

type stepNetwork struct {
	inner netdriver.Driver
	hook  step.Hook
}

func (d *stepNetwork) Info(ctx context.Context) (netdriver.Info, error) { return d.inner.Info(ctx) }

func (d *stepNetwork) List(ctx context.Context) ([]netdriver.ID, error) { return d.inner.List(ctx) }

func (d *stepNetwork) Ensure(ctx context.Context, n netdriver.Network) error {
	return do(ctx, d.hook, "network.Ensure", n.UUID, func(ctx context.Context) error { return d.inner.Ensure(ctx, n) })
}

func (d *stepNetwork) Remove(ctx context.Context, id netdriver.ID) error {
	return do(ctx, d.hook, "network.Remove", id.UUID, func(ctx context.Context) error { return d.inner.Remove(ctx, id) })
}
