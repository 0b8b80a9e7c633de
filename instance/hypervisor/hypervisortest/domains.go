package hypervisortest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// The IDs that the checks use, in ascending order.
const (
	idA = "0a6f1a52-4b3c-4a6e-9d0f-3d1c5f2b7a01"
	idB = "5b1c2d3e-7f80-4c12-8a9b-0c1d2e3f4a02"
	idC = "c7e8f9a0-1b2c-4d3e-9f40-5a6b7c8d9e03"
)

func hostIsDescribed(t *testing.T, b bench) {
	h, err := b.Driver.Host(b.ctx)
	must(t, err)
	if h.Version == "" || h.Reason == "" || h.CPUs < 1 || h.MemoryMiB < 1 || h.MaxVCPUs < 1 {
		t.Errorf("host is %+v; every field must be set", h)
	}
	if !slices.Contains([]string{"kvm", "qemu", "simulated"}, h.Accelerator) {
		t.Errorf("accelerator is %q, want kvm, qemu or simulated", h.Accelerator)
	}
}

func defineTwice(t *testing.T, b bench) {
	d := b.defined(t, idA)
	must(t, b.Driver.Define(b.ctx, d))
	if p := b.power(t); p != hypervisor.PowerOff {
		t.Errorf("a defined domain is %q, want off", p)
	}
}

func startTwice(t *testing.T, b bench) {
	b.running(t, idA)
	must(t, b.Driver.Start(b.ctx, idA))
	if p := b.power(t); p != hypervisor.PowerOn {
		t.Errorf("a started domain is %q, want on", p)
	}
}

func stopAndRemoveTwice(t *testing.T, b bench) {
	b.running(t, idA)
	must(t, b.Driver.Stop(b.ctx, idA))
	must(t, b.Driver.Stop(b.ctx, idA))
	if p := b.power(t); p != hypervisor.PowerOff {
		t.Errorf("a stopped domain is %q, want off", p)
	}
	must(t, b.Driver.Start(b.ctx, idA))
	must(t, b.Driver.Remove(b.ctx, idA))
	must(t, b.Driver.Remove(b.ctx, idA))
	if p := b.power(t); p != "" {
		t.Errorf("a removed domain is %q, want it not listed", p)
	}
}

func unknownIsNotFound(t *testing.T, b bench) {
	for name, call := range map[string]func(context.Context, string) error{"Start": b.Driver.Start, "Stop": b.Driver.Stop} {
		if err := call(b.ctx, idA); !errors.Is(err, fault.NotFound) || !strings.Contains(err.Error(), idA) {
			t.Errorf("%s: error is %v, want not found, naming the domain", name, err)
		}
	}
	must(t, b.Driver.Remove(b.ctx, idA))
}

func impossibleIsRefused(t *testing.T, b bench) {
	h, err := b.Driver.Host(b.ctx)
	must(t, err)
	for name, spoil := range map[string]func(*hypervisor.Domain){
		"no vCPU":                func(d *hypervisor.Domain) { d.VCPUs = 0 },
		"more vCPUs than can be": func(d *hypervisor.Domain) { d.VCPUs = h.MaxVCPUs + 1 },
		"no memory":              func(d *hypervisor.Domain) { d.MemoryMiB = 0 },
		"no ID":                  func(d *hypervisor.Domain) { d.ID = "" },
	} {
		d := b.guest(t, idA)
		spoil(&d)
		if err := b.Driver.Define(b.ctx, d); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: error is %v, want invalid", name, err)
		}
	}
	if p := b.power(t); p != "" {
		t.Errorf("a refused domain is listed as %q", p)
	}
}

func listIsReal(t *testing.T, b bench) {
	if all, err := b.Driver.List(b.ctx); err != nil || len(all) != 0 {
		t.Fatalf("an empty host lists %v, %v", all, err)
	}
	b.running(t, idC)
	b.defined(t, idA)
	b.running(t, idB)
	must(t, b.Driver.Stop(b.ctx, idB))
	got, err := b.Driver.List(b.ctx)
	must(t, err)
	want := []hypervisor.Status{
		{ID: idA, Power: hypervisor.PowerOff},
		{ID: idB, Power: hypervisor.PowerOff},
		{ID: idC, Power: hypervisor.PowerOn},
	}
	if !slices.Equal(got, want) {
		t.Errorf("list is %v, want %v", got, want)
	}
}

func filesStay(t *testing.T, b bench) {
	d := b.running(t, idA)
	must(t, b.Driver.Remove(b.ctx, idA))
	for _, path := range append(d.Disks[0].Backing, d.Disks[0].Path) {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("a file is gone with its domain: %v", err)
		}
	}
}

func missingDiskIsNamed(t *testing.T, b bench) {
	d := b.defined(t, idA)
	must(t, os.Remove(d.Disks[0].Path))
	err := b.Driver.Start(b.ctx, idA)
	if !errors.Is(err, fault.NotFound) || !strings.Contains(fault.Text(err), d.Disks[0].Path) {
		t.Errorf("error is %v, want not found, naming %s", err, d.Disks[0].Path)
	}
	if p := b.power(t); p != hypervisor.PowerOff {
		t.Errorf("a domain that could not start is %q, want off", p)
	}
}

func redefinition(t *testing.T, b bench) {
	d := b.running(t, idA)
	other := b.path("other.qcow2")
	d.Disks[0].Path, d.Disks[0].Backing = other, nil
	must(t, b.Driver.Define(b.ctx, d))
	if p := b.power(t); p != hypervisor.PowerOn {
		t.Errorf("a guest whose definition was replaced is %q, want on", p)
	}
	must(t, b.Driver.Stop(b.ctx, idA))
	if err := b.Driver.Start(b.ctx, idA); err == nil || !strings.Contains(err.Error(), other) {
		t.Errorf("error is %v, want one that names the new disk %s, which is not there", err, other)
	}
	must(t, b.Driver.MakeDisk(b.ctx, hypervisor.Disk{Path: other, SizeBytes: 1 << 20}))
	must(t, b.Driver.Define(b.ctx, d))
	must(t, b.Driver.Start(b.ctx, idA))
}

func eventsArrive(t *testing.T, b bench) {
	events := b.watch(t)
	b.defined(t, idA)
	for _, s := range []struct {
		call func(context.Context, string) error
		want hypervisor.Power
	}{
		{b.Driver.Start, hypervisor.PowerOn},
		{b.Driver.Stop, hypervisor.PowerOff},
		{b.Driver.Start, hypervisor.PowerOn},
		{b.Driver.Remove, ""},
	} {
		must(t, s.call(b.ctx, idA))
		await(t, events, time.Second, hypervisor.Event{ID: idA, Power: s.want})
	}
}

func givenUp(t *testing.T, b bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	_, err := b.Driver.List(ctx)
	for name, err := range map[string]error{
		"List": err, "Start": b.Driver.Start(ctx, idA), "Stop": b.Driver.Stop(ctx, idA), "Remove": b.Driver.Remove(ctx, idA),
	} {
		if !errors.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error is %v, want unavailable because of the cancelled context", name, err)
		}
	}
	for e, err := range b.Driver.Watch(ctx) {
		t.Errorf("%+v, %v was yielded after the context's end", e, err)
	}
}

func concurrency(t *testing.T, b bench) {
	shape := b.guest(t, idA)
	var all sync.WaitGroup
	for i := range 8 {
		d := shape
		d.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		d.ConsoleLog = b.path(fmt.Sprintf("console%d.log", i))
		d.Disks = slices.Clone(d.Disks)
		d.Disks[0].Path = b.path(fmt.Sprintf("disk%d.qcow2", i))
		all.Go(func() {
			err := errors.Join(
				b.Driver.MakeDisk(b.ctx, hypervisor.Disk{Path: d.Disks[0].Path, Base: d.Disks[0].Backing[0]}),
				b.Driver.Define(b.ctx, d), b.Driver.Start(b.ctx, d.ID), b.Driver.Start(b.ctx, d.ID),
				b.Driver.Stop(b.ctx, d.ID), b.Driver.Remove(b.ctx, d.ID))
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if left, err := b.Driver.List(b.ctx); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
