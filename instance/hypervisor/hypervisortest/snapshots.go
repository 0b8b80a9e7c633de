package hypervisortest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/step"
)

// writes has the running guest d write that many times.
func (b bench) writes(t *testing.T, d hypervisor.Domain, times int) {
	t.Helper()
	for range times {
		must(t, b.Write(b.ctx, d), "writing")
	}
}

// wrote checks how often guests have written to an image.
func (b bench) wrote(t *testing.T, want int, what, path string, backing ...string) {
	t.Helper()
	if got, err := b.Writes(b.ctx, path, backing); err != nil || got != want {
		t.Errorf("%s: guests wrote %d times, %v; want %d", what, got, err, want)
	}
}

// on checks that the domain idA is seen running, and its disk held or not.
func (b bench) on(t *testing.T, d hypervisor.Domain, held bool) {
	t.Helper()
	if p := b.power(t); p != hypervisor.PowerOn {
		t.Errorf("the guest is %q, want on", p)
	}
	b.heldFile(t, d, held)
}

func (b bench) heldFile(t *testing.T, d hypervisor.Domain, want bool) {
	t.Helper()
	if _, err := os.Stat(d.Disks[0].Path + hypervisor.HeldSuffix); (err == nil) != want {
		t.Errorf("that there is a held file is %t, want %t", err == nil, want)
	}
}

// hold holds the disks of d.
func (b bench) hold(t *testing.T, d hypervisor.Domain) {
	t.Helper()
	_, err := b.Driver.Hold(b.ctx, d.ID, d.Disks)
	must(t, err)
}

// copied makes a flat copy of the first disk of d.
func (b bench) copied(t *testing.T, d hypervisor.Domain, name string) string {
	t.Helper()
	c := hypervisor.DiskCopy{Src: d.Disks[0].Path, Backing: d.Disks[0].Backing, Dst: b.path(name)}
	must(t, b.Driver.CopyDisk(b.ctx, c))
	return c.Dst
}

// writer returns a running guest that is ready to write.
func (b bench) writer(t *testing.T) hypervisor.Domain {
	t.Helper()
	need(t, b.Write != nil && b.Writes != nil, "Write and Writes")
	d := b.running(t, idA)
	b.spoke(t, d, len(GuestReady))
	return d
}

func heldStandsStill(t *testing.T, b bench) {
	d := b.writer(t)
	b.writes(t, d, 1)
	before := b.count(t, d)
	b.hold(t, d)
	b.on(t, d, true)
	b.writes(t, d, 2)
	b.wrote(t, before, "a copy while held", b.copied(t, d, "copy"))
	must(t, b.Driver.Release(b.ctx, d.ID, d.Disks))
	b.on(t, d, false)
	b.writes(t, d, 1)
	must(t, b.Driver.Stop(b.ctx, d.ID))
	b.wrote(t, before+3, "the disk", d.Disks[0].Path, d.Disks[0].Backing...)
	must(t, b.Driver.Start(b.ctx, d.ID))
	b.on(t, d, false)
}

// copiedOff makes a flat copy of the disk of d while it is held, and releases it again.
func (b bench) copiedOff(t *testing.T, d hypervisor.Domain, name string) string {
	t.Helper()
	b.hold(t, d)
	path := b.copied(t, d, name)
	must(t, b.Driver.Release(b.ctx, d.ID, d.Disks))
	return path
}

func holdTwice(t *testing.T, b bench) {
	d := b.writer(t)
	must(t, b.Driver.Release(b.ctx, d.ID, d.Disks), "before anything is held")
	for range 2 {
		b.hold(t, d)
		b.writes(t, d, 1)
		b.hold(t, d)
		b.on(t, d, true)
		must(t, b.Driver.Release(b.ctx, d.ID, d.Disks))
		must(t, b.Driver.Release(b.ctx, d.ID, d.Disks))
		b.on(t, d, false)
	}
}

func holdOff(t *testing.T, b bench) {
	d := b.defined(t, idA)
	for name, id := range map[string]string{"off": idA, "not defined": idB} {
		if by, err := b.Driver.Hold(b.ctx, id, d.Disks); err != nil || by != "" {
			t.Errorf("a domain that is %s: frozen by %q, %v; want success and nobody", name, by, err)
		}
		b.heldFile(t, d, false)
		must(t, b.Driver.Release(b.ctx, id, d.Disks))
	}
	b.copied(t, d, "copy")
	must(t, b.Driver.Start(b.ctx, idA))
}

func holdRefused(t *testing.T, b bench) {
	d := b.writer(t)
	other, raw := d.Disks[0], d.Disks[0]
	other.Path, raw.Format = b.path("other.qcow2"), hypervisor.Raw
	must(t, b.Driver.MakeDisk(b.ctx, hypervisor.Disk{Path: other.Path, SizeBytes: 1 << 20}))
	for name, c := range map[string]struct {
		disk hypervisor.DomainDisk
		kind fault.Kind
	}{"a disk that the guest lacks": {other, fault.NotFound}, "a raw disk": {raw, fault.Invalid}} {
		if _, err := b.Driver.Hold(b.ctx, idA, []hypervisor.DomainDisk{d.Disks[0], c.disk}); !errors.Is(err, c.kind) {
			t.Errorf("%s: error is %v, want %s", name, err, c.kind)
		}
		b.on(t, d, false)
	}
	readOnly := d.Disks[0]
	readOnly.ReadOnly = true
	_, err := b.Driver.Hold(b.ctx, idA, []hypervisor.DomainDisk{readOnly})
	must(t, err, "a disk that can only be read")
	b.on(t, d, false)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	_, err = b.Driver.Hold(ctx, idA, d.Disks)
	for name, err := range map[string]error{"Hold": err, "Release": b.Driver.Release(ctx, idA, d.Disks)} {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s: error is %v, want unavailable because of the cancelled context", name, err)
		}
	}
}

func heldSurvives(t *testing.T, b bench) {
	need(t, b.Crash != nil, "Crash")
	d := b.writer(t)
	ends := []struct {
		name string
		end  func(ctx context.Context, id string) error
	}{{"Stop", b.Driver.Stop}, {"Crash", b.Crash}, {"Remove", b.Driver.Remove}}
	total := b.count(t, d)
	for _, e := range ends {
		b.writes(t, d, 1)
		b.hold(t, d)
		b.writes(t, d, 1)
		must(t, e.end(b.ctx, idA))
		until(t, b.ctx, "the guest still runs after "+e.name, func() bool { return b.power(t) != hypervisor.PowerOn })
		if err := b.Driver.Start(b.ctx, idA); e.name != "Remove" && !errors.Is(err, fault.Conflict) {
			t.Errorf("after %s: starting a held domain: error is %v, want conflict", e.name, err)
		}
		b.heldFile(t, d, true)
		must(t, b.Driver.Release(b.ctx, idA, d.Disks))
		b.heldFile(t, d, false)
		total += 2
		b.wrote(t, total, "the disk after "+e.name, d.Disks[0].Path, d.Disks[0].Backing...)
		if e.name != "Remove" {
			total += b.again(t, d)
		}
	}
}

// again starts the guest d once more, and returns how often it wrote by itself until it was ready.
func (b bench) again(t *testing.T, d hypervisor.Domain) int {
	t.Helper()
	was, err := b.Writes(b.ctx, d.Disks[0].Path, d.Disks[0].Backing)
	must(t, err)
	said, err := os.ReadFile(d.ConsoleLog)
	must(t, err)
	must(t, b.Driver.Start(b.ctx, d.ID))
	b.spoke(t, d, len(said)+len(GuestReady))
	return b.count(t, d) - was
}

// heldCutOff fails every step of a hold and its release, before and after its effect. Another driver, as of a daemon that
// was started again, then makes it good.
func heldCutOff(t *testing.T, b bench) {
	d := b.writer(t)
	b.everyMoment(t, d, func() {}, func() { b.on(t, d, false) })
}

// heldCrash is heldCutOff with the guest dying in the same moment.
func heldCrash(t *testing.T, b bench) {
	need(t, b.Crash != nil, "Crash")
	d := b.writer(t)
	b.everyMoment(t, d,
		func() {
			must(t, b.Crash(b.ctx, idA))
			until(t, b.ctx, "the guest still runs", func() bool { return b.power(t) == hypervisor.PowerCrashed })
		},
		func() {
			b.heldFile(t, d, false)
			b.again(t, d)
		})
}

// everyMoment holds and releases the disk of d, whose guest writes meanwhile, until no step is left to be cut off. At the
// n-th round the n-th step fails, just after trouble. Then released is called, with the disk released.
func (b bench) everyMoment(t *testing.T, d hypervisor.Domain, trouble, released func()) {
	t.Helper()
	cut, moments := errors.New("cut off here"), 0
	for at, last := 1, false; !last; at++ {
		n := 0
		ctx := step.WithHook(b.ctx, func(context.Context, step.Step) error {
			if n++; n == at {
				trouble()
				return cut
			}
			return nil
		})
		wrote := b.count(t, d)
		_, err := b.Driver.Hold(ctx, idA, d.Disks)
		if err == nil {
			b.writes(t, d, 1)
			wrote++
			err = b.Driver.Release(ctx, idA, d.Disks)
		}
		if err != nil && !errors.Is(err, cut) && !errors.Is(err, fault.Unavailable) {
			t.Fatalf("step %d: %v", at, err)
		}
		next := b.Driver
		if b.Again != nil {
			next = b.Again(t)
		}
		must(t, next.Release(b.ctx, idA, d.Disks))
		if last = n < at; !last {
			moments++
			released()
		}
		if got := b.count(t, d); got < wrote || got > wrote+1 {
			t.Errorf("cut at step %d: guests wrote %d times, want %d", at, got, wrote)
		}
	}
	if moments < 6 {
		t.Errorf("holding and releasing announced %d moments", moments)
	}
	t.Logf("%d moments cut off", moments)
	entries, err := filepath.Glob(filepath.Join(filepath.Dir(d.Disks[0].Path), "*.qcow2*"))
	must(t, err)
	if want := []string{d.Disks[0].Backing[0], d.Disks[0].Path}; !slices.Equal(entries, want) {
		t.Errorf("the disk's folder holds %v, want %v", entries, want)
	}
}

// count returns how often the running guest d has written by now.
func (b bench) count(t *testing.T, d hypervisor.Domain) int {
	t.Helper()
	path := b.copiedOff(t, d, "count")
	n, err := b.Writes(b.ctx, path, nil)
	must(t, errors.Join(err, os.Remove(path)))
	return n
}
