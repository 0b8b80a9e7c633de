// Package hypervisortest is the test that every hypervisor driver passes. Whoever writes a driver calls TestDriver from
// a test of their own.
package hypervisortest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/instance/hypervisor"
)

// Env is a driver to be tested, and what the test may do to the world around it.
type Env struct {
	Driver hypervisor.Driver

	// Dir is an empty folder in which the driver's guests can have their files; "" means a folder of the test.
	Dir string

	// PowerOff makes a running guest power itself off. The guest is the one of GuestImage: it does so at any key.
	PowerOff func(ctx context.Context, id string) error
	// Write makes a running guest write to its first disk once more, and returns when it has. The guest of GuestImage does
	// so at the key "w".
	Write func(ctx context.Context, d hypervisor.Domain) error
	// Writes returns how often guests have written to what an image and those beneath it have: on an image of GuestImage,
	// the first byte of GuestSector. Nobody writes to them now.
	Writes func(ctx context.Context, path string, backing []string) (int, error)
	// Crash makes a running guest die without having been asked to.
	Crash func(ctx context.Context, id string) error
	// Disconnect takes the hypervisor away from the driver, Reconnect gives it back.
	Disconnect, Reconnect func(ctx context.Context) error
	// Again returns another driver of the same hypervisor, cloud and node, as a daemon has after its restart.
	Again func(t *testing.T) hypervisor.Driver
	// Stranger defines a domain that looks like one of the driver's and is not. What it returns reports whether that
	// domain is still there as it was.
	Stranger func(ctx context.Context, id string) (intact func(ctx context.Context) bool, err error)

	// Lacks names promises that this driver cannot show here, with the reason. They are skipped, and the reason printed.
	Lacks map[string]string
}

// A promise is one thing that holds of every driver.
type promise struct {
	name  string
	check func(t *testing.T, b bench)
}

// promises returns all there are.
func promises() []promise {
	return []promise{
		{"the host says what it offers", hostIsDescribed},
		{"defining twice is success", defineTwice},
		{"starting twice is success", startTwice},
		{"stopping and removing twice is success", stopAndRemoveTwice},
		{"an unknown domain is not found", unknownIsNotFound},
		{"a domain that cannot be is refused", impossibleIsRefused},
		{"list shows ours in order with their real power", listIsReal},
		{"the files of a removed domain stay", filesStay},
		{"a missing disk is named", missingDiskIsNamed},
		{"a new definition is seen at the next start", redefinition},
		{"events arrive within a second", eventsArrive},
		{"a call that is given up ends at once", givenUp},
		{"callers do not disturb each other", concurrency},
		{"a guest that powers itself off is seen off", guestPowersOff},
		{"a guest that dies is seen crashed", guestDies},
		{"what a guest says is appended to its console log", consoleLog},
		{"a lost connection is reported and comes back", lostConnection},
		{"a driver that was opened again knows its domains", openedAgain},
		{"a domain that is not ours is left alone", strangerIsLeftAlone},
		{"a disk is made complete and once", diskIsMade},
		{"a disk smaller than its image is refused with both sizes", diskTooSmall},
		{"what a cut-off call has left is replaced", cutOff},
		{"a held disk stands still while its guest writes on", heldStandsStill},
		{"holding and releasing twice is success", holdTwice},
		{"a domain that is off needs no hold", holdOff},
		{"a disk that cannot be held is refused", holdRefused},
		{"what a guest wrote while held survives its end", heldSurvives},
		{"a hold or release that was cut off is made good", heldCutOff},
		{"whoever dies while a disk is held, nothing is lost", heldCrash},
		{"a disk is copied flat or thin", diskIsCopied},
		{"a guest boots from the copy of a disk", bootsFromCopy},
		{"a copy is whole or not there", copyCutOff},
		{"a disk that is written to is not copied", copyInUse},
		{"an image is converted complete and once", imageIsConverted},
		{"an image that names another file is never followed", hostileImages},
		{"images of other hypervisors are converted by their own name only", foreignImages},
	}
}

// TestDriver checks that the drivers that open returns keep every promise of the contract. Each promise gets a driver
// of its own, with no domains.
func TestDriver(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	known := map[string]bool{}
	for _, p := range promises() {
		known[p.name] = true
		t.Run(p.name, func(t *testing.T) {
			e := open(t)
			if why, ok := e.Lacks[p.name]; ok {
				t.Skipf("left out: %s", why)
			}
			for name := range e.Lacks {
				if !known[name] && !isPromise(name) {
					t.Errorf("Lacks names %q, which is no promise", name)
				}
			}
			if e.Dir == "" {
				e.Dir = t.TempDir()
			}
			p.check(t, bench{Env: e, ctx: limit(t)})
		})
	}
}

func isPromise(name string) bool {
	for _, p := range promises() {
		if p.name == name {
			return true
		}
	}
	return false
}

// limit returns a context that ends a check which hangs.
func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// A bench is one check's driver and world.
type bench struct {
	Env
	ctx context.Context //nolint:containedctx // of one check, not of a call
}

func (b bench) path(name string) string { return filepath.Join(b.Dir, name) }

// guest returns a domain with a disk that boots GuestImage. Its files are there.
func (b bench) guest(t *testing.T, id string) hypervisor.Domain {
	t.Helper()
	dir := b.path(id)
	must(t, os.MkdirAll(dir, 0o755)) //nolint:gosec // the hypervisor's user must get in
	raw := hypervisor.Image{Path: filepath.Join(dir, "guest.img"), Format: hypervisor.Raw}
	must(t, os.WriteFile(raw.Path, GuestImage(), 0o600))
	base, disk := filepath.Join(dir, "base.qcow2"), filepath.Join(dir, "vda.qcow2")
	must(t, b.Driver.Convert(b.ctx, raw, base))
	must(t, b.Driver.MakeDisk(b.ctx, hypervisor.Disk{Path: disk, Base: base}))
	return hypervisor.Domain{
		ID: id, Name: "guest", VCPUs: 1, MemoryMiB: 32, Machine: "pc",
		Disks: []hypervisor.DomainDisk{
			{Path: disk, Format: hypervisor.QCOW2, Device: "vda", Bus: "virtio", Backing: []string{base}},
		},
		ConsoleLog: filepath.Join(dir, "console.log"),
		Video:      "cirrus", VideoKiB: 16384,
	}
}

// defined returns a guest that is defined; it is removed at the end of the check.
func (b bench) defined(t *testing.T, id string) hypervisor.Domain {
	t.Helper()
	d := b.guest(t, id)
	must(t, b.Driver.Define(b.ctx, d))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), time.Minute)
		defer cancel()
		if err := b.Driver.Remove(ctx, id); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
	return d
}

// running returns a guest that has been started.
func (b bench) running(t *testing.T, id string) hypervisor.Domain {
	t.Helper()
	d := b.defined(t, id)
	must(t, b.Driver.Start(b.ctx, id))
	return d
}

// power returns the power of the domain idA as List shows it, "" if it is not listed.
func (b bench) power(t *testing.T) hypervisor.Power {
	t.Helper()
	all, err := b.Driver.List(b.ctx)
	must(t, err)
	for _, s := range all {
		if s.ID == idA {
			return s.Power
		}
	}
	return ""
}

// watch starts watching and returns what is seen.
func (b bench) watch(t *testing.T) <-chan hypervisor.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	seq := b.Driver.Watch(ctx)
	events, done := make(chan hypervisor.Event, 100), make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range seq {
			if err != nil {
				t.Errorf("watching: %v", err)
				return
			}
			events <- e
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return events
}

// await waits until one of want has been seen.
func await(t *testing.T, events <-chan hypervisor.Event, within time.Duration, want ...hypervisor.Event) {
	t.Helper()
	var seen []hypervisor.Event
	deadline := time.After(within)
	for {
		select {
		case e := <-events:
			if slices.Contains(want, e) {
				return
			}
			seen = append(seen, e)
		case <-deadline:
			t.Fatalf("no event %+v within %v; seen were %+v", want, within, seen)
		}
	}
}

// until waits for a condition that nobody announces.
func until(t *testing.T, ctx context.Context, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func must(t *testing.T, err error, what ...string) {
	t.Helper()
	if err != nil {
		t.Fatal(append([]string{err.Error()}, what...))
	}
}
