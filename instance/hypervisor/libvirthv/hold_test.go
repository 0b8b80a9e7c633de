//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
	"github.com/shakenfist/shakenfist/internal/step"
)

// released checks that no disk of dom is held, by libvirt's word for now and for the next start, and by what is on disk.
func released(t *testing.T, d *Driver, dom hypervisor.Domain) {
	t.Helper()
	for _, running := range []bool{true, false} {
		text, err := d.xmlOf(t.Context(), "test", dom.ID, running)
		if err != nil || strings.Contains(text, hypervisor.HeldSuffix) {
			t.Errorf("libvirt (as it runs: %t) still knows of a held file: %v\n%s", running, err, text)
		}
	}
	for _, disk := range dom.Disks {
		if there(disk.Path + hypervisor.HeldSuffix) {
			t.Errorf("the held file of %s is still there", disk.Device)
		}
	}
}

func TestDisksOnEveryBusAreHeldAtOnce(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "held", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	for _, name := range []string{"pc-every-bus", "q35-secure-boot"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(h.Dir, name)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			dom := realize(t, d, goldenDomains()[name], dir)
			if err := errors.Join(d.Define(t.Context(), dom), d.Start(t.Context(), dom.ID)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := d.Remove(context.WithoutCancel(t.Context()), dom.ID); err != nil {
					t.Error(err)
				}
			})
			if by, err := d.Hold(t.Context(), dom.ID, dom.Disks); err != nil || by != "" {
				t.Fatalf("frozen by %q, %v; want success and nobody", by, err)
			}
			for _, disk := range dom.Disks {
				if want := !disk.ReadOnly && !disk.CDROM; there(disk.Path+hypervisor.HeldSuffix) != want {
					t.Errorf("that %s is held is %t, want %t", disk.Device, !want, want)
				}
			}
			if err := errors.Join(d.Define(t.Context(), dom), d.Release(t.Context(), dom.ID, dom.Disks)); err != nil {
				t.Fatal(err)
			}
			released(t, d, dom)
			if err := errors.Join(d.Stop(t.Context(), dom.ID), d.Start(t.Context(), dom.ID)); err != nil {
				t.Error(err)
			}
		})
	}
}

// guest1 returns a running domain that has one disk over a base, and a channel for the agent.
func guest1(t *testing.T, d *Driver, dir string) hypervisor.Domain {
	t.Helper()
	dom := plainDomain()
	dom.Disks = dom.Disks[:1]
	dom.Channels = []hypervisor.Channel{{Name: hypervisor.GuestAgentChannel, Path: filepath.Join(dir, "ga")}}
	dom = realize(t, d, dom, dir)
	if err := errors.Join(d.Define(t.Context(), dom), d.Start(t.Context(), dom.ID)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Remove(context.WithoutCancel(t.Context()), dom.ID); err != nil {
			t.Error(err)
		}
	})
	return dom
}

func TestAHeldDomainThatWasOffIsDefinedAsItWas(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "heldoff", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := guest1(t, d, h.Dir)
	if _, err := d.Hold(t.Context(), dom.ID, dom.Disks); err != nil {
		t.Fatal(err)
	}
	text, err := d.xmlOf(t.Context(), "test", dom.ID, false)
	if err != nil || !strings.Contains(text, hypervisor.HeldSuffix) {
		t.Logf("libvirt defines the domain without its held file: %v", err)
	}
	if err := d.Stop(t.Context(), dom.ID); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context(), dom.ID); !errors.Is(err, fault.Conflict) {
		t.Errorf("error is %v, want conflict", err)
	}
	killed := errors.New("killed")
	ctx := step.WithHook(t.Context(), func(_ context.Context, s step.Step) error {
		if s.Name == "libvirt define" {
			return killed
		}
		return nil
	})
	if err := d.Release(ctx, dom.ID, dom.Disks); !errors.Is(err, killed) {
		t.Errorf("error is %v, want that of the step", err)
	}
	if err := d.Start(t.Context(), dom.ID); !errors.Is(err, fault.Conflict) {
		t.Errorf("half released: error is %v, want conflict", err)
	}
	if err := errors.Join(d.Release(t.Context(), dom.ID, dom.Disks), d.Start(t.Context(), dom.ID)); err != nil {
		t.Fatal(err)
	}
	released(t, d, dom)
}

// Nobody sees that a guest stands still while its disks change hands; one that was left so is cured by the next Release.
func TestAGuestIsPausedForAMomentOnly(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "heldpause", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := guest1(t, d, h.Dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, resumed := d.Watch(ctx), make(chan struct{})
	go func() {
		defer close(resumed)
		for e, err := range events {
			if err != nil || e.Power == hypervisor.PowerPaused {
				t.Errorf("whoever watches hears %v, %v", e, err)
			}
			if e.Power == hypervisor.PowerOn {
				return
			}
		}
	}()
	if _, err := d.Hold(t.Context(), dom.ID, dom.Disks); err != nil {
		t.Fatal(err)
	}
	died, dead := make(chan struct{}), make(chan struct{})
	hooked := step.WithHook(t.Context(), func(_ context.Context, s step.Step) error {
		if s.Name == "libvirt pivot disk" && !s.After {
			all, err := d.List(t.Context())
			if err != nil || len(all) != 1 || all[0].Power != hypervisor.PowerOn {
				t.Errorf("while it stands still the list is %v, %v; want it on", all, err)
			}
			close(died)
			<-dead
			return errors.New("killed")
		}
		return nil
	})
	ended := make(chan error, 1)
	go func() { ended <- d.Release(hooked, dom.ID, dom.Disks) }()
	<-died
	next := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	all, err := next.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Power != hypervisor.PowerPaused {
		t.Errorf("after the death of who paused it: %v, %v; want it paused", all, err)
	}
	if err := next.Release(t.Context(), dom.ID, dom.Disks); err != nil {
		t.Fatal(err)
	}
	released(t, next, dom)
	if all, err = next.List(t.Context()); err != nil || all[0].Power != hypervisor.PowerOn {
		t.Errorf("after Release: %v, %v; want it on", all, err)
	}
	select {
	case <-resumed:
	case <-time.After(time.Minute):
		t.Error("nobody hears that the guest goes on")
	}
	close(dead)
	if err := <-ended; err == nil {
		t.Error("the Release that died succeeded")
	}
}

// A guest that its user has paused stays so.
func TestAPausedGuestStaysPaused(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "heldpaused", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := guest1(t, d, h.Dir)
	if err := d.domain(t.Context(), "test", dom.ID, (*libvirt.Domain).Suspend); err != nil {
		t.Fatal(err)
	}
	_, err := d.Hold(t.Context(), dom.ID, dom.Disks)
	if err := errors.Join(err, d.Release(t.Context(), dom.ID, dom.Disks)); err != nil {
		t.Fatal(err)
	}
	released(t, d, dom)
	if all, err := d.List(t.Context()); err != nil || all[0].Power != hypervisor.PowerPaused {
		t.Errorf("list is %v, %v; want it paused", all, err)
	}
}

func TestALibvirtdThatDiesWhileADiskIsHeld(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "helddead", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := guest1(t, d, h.Dir)
	for at := 1; ; at++ {
		n := 0
		hooked := step.WithHook(t.Context(), func(context.Context, step.Step) error {
			if n++; n == at {
				return errors.Join(h.KillLibvirtd(), h.StartLibvirtd(t.Context()))
			}
			return nil
		})
		_, err := d.Hold(hooked, dom.ID, dom.Disks)
		if err == nil {
			err = d.Release(hooked, dom.ID, dom.Disks)
		}
		if err != nil && !errors.Is(err, fault.Unavailable) {
			t.Errorf("libvirtd dies at step %d: error is %v, want unavailable", at, err)
		}
		deadline, tick := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
		for err = d.Release(t.Context(), dom.ID, dom.Disks); err != nil; err = d.Release(t.Context(), dom.ID, dom.Disks) {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("libvirtd died at step %d: not released in a minute: %v", at, err)
			}
		}
		tick.Stop()
		released(t, d, dom)
		if all, err := d.List(t.Context()); err != nil || len(all) != 1 || all[0].Power != hypervisor.PowerOn {
			t.Errorf("libvirtd died at step %d: list is %v, %v; want the guest on", at, all, err)
		}
		if n < at {
			t.Logf("libvirtd was killed at %d moments", at-1)
			return
		}
	}
}
