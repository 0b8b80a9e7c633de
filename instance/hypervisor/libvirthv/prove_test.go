//go:build cgo && libvirt_dlopen && prove

package libvirthv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/hypervisortest"
	"github.com/shakenfist/shakenfist/internal/guestimage"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
	"github.com/shakenfist/shakenfist/internal/step"
)

// bootSector returns the definition of a guest that writes at the key "w".
func bootSector(t *testing.T, d *Driver, dir string) hypervisor.Domain {
	t.Helper()
	raw := hypervisor.Image{Path: filepath.Join(dir, "raw"), Format: hypervisor.Raw}
	base, disk := filepath.Join(dir, "base"), filepath.Join(dir, "disk")
	err := errors.Join(
		os.WriteFile(raw.Path, hypervisortest.GuestImage(), 0o600),
		d.Convert(t.Context(), raw, base),
		d.MakeDisk(t.Context(), hypervisor.Disk{Path: disk, Base: base}))
	if err != nil {
		t.Fatal(err)
	}
	dom := hypervisor.Domain{
		ID: goldenID, Name: "writer", VCPUs: 1, MemoryMiB: 32, Machine: "pc", ConsoleLog: filepath.Join(dir, "console.log"),
		Disks: []hypervisor.DomainDisk{{Path: disk, Format: hypervisor.QCOW2, Device: "vda", Bus: "virtio", Backing: []string{base}}},
	}
	if err := d.Define(t.Context(), dom); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Remove(context.WithoutCancel(t.Context()), dom.ID); err != nil {
			t.Error(err)
		}
	})
	return dom
}

// count returns how often text is in the guest's console log.
func count(dom hypervisor.Domain, text string) int {
	b, err := os.ReadFile(dom.ConsoleLog)
	if err != nil {
		return 0
	}
	return strings.Count(string(b), text)
}

// booted starts dom and waits until it can write.
func booted(t *testing.T, d *Driver, dom hypervisor.Domain) {
	t.Helper()
	before := count(dom, hypervisortest.GuestReady)
	if err := d.Start(t.Context(), dom.ID); err != nil {
		t.Fatal(err)
	}
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for count(dom, hypervisortest.GuestReady) == before {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the guest does not boot")
		}
	}
}

// A guest writes all the time; its QEMU is killed at any moment of a hold and its release.
func TestProveNothingIsLostWhenQEMUIsKilledAtAnyMoment(t *testing.T) {
	library(t)
	const rounds = 60
	h := pretendhost.Start(t, pretendhost.Options{Name: "kills", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := bootSector(t, d, h.Dir)
	random := rand.New(rand.NewPCG(1, 2))
	held, unacknowledged := 0, 0
	for round := range rounds {
		booted(t, d, dom)
		var writer sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		writer.Go(func() {
			for ctx.Err() == nil && guestWrites(ctx, d, dom) == nil {
			}
		})
		kill := func() {
			time.AfterFunc(time.Duration(random.IntN(300))*time.Millisecond, func() {
				if err := killQEMU(h, dom.ID); err != nil {
					t.Error(err)
				}
			})
		}
		if round%2 == 0 {
			kill()
		}
		_, err := d.Hold(ctx, dom.ID, dom.Disks)
		if round%2 != 0 {
			kill()
		}
		if err == nil {
			err = d.Release(ctx, dom.ID, dom.Disks)
		}
		if err != nil && !errors.Is(err, fault.Unavailable) {
			t.Errorf("round %d: %v", round, err)
		}
		crashed(t, d)
		stop()
		writer.Wait()
		if there(dom.Disks[0].Path + hypervisor.HeldSuffix) {
			held++
		}
		if err := d.Release(t.Context(), dom.ID, dom.Disks); err != nil {
			t.Fatal(err)
		}
		released(t, d, dom)
		got, err := sectorOf(t.Context(), dom.Disks[0].Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		said := count(dom, hypervisortest.GuestWrote) + unacknowledged
		switch more := (got - said) & 0xff; more { // one byte counts
		case 0:
		case 1: // written, and killed before it was said
			unacknowledged++
		default:
			t.Fatalf("round %d: the guest said that it wrote %d times, the disk has %d of them (modulo 256)", round, said, got)
		}
	}
	t.Logf("proof: QEMU killed at %d random moments around a hold (%d with a held file there): of %d acknowledged writes none lost",
		rounds, held, count(dom, hypervisortest.GuestWrote))
}

// crashed waits until the only guest is down.
func crashed(t *testing.T, d *Driver) {
	t.Helper()
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		all, err := d.List(t.Context())
		if err == nil && len(all) == 1 && all[0].Power == hypervisor.PowerCrashed {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the guest runs on: %v, %v", all, err)
		}
	}
}

func TestProveHowLongAHeldGuestStandsStill(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "still", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := bootSector(t, d, h.Dir)
	booted(t, d, dom)
	var holds, releases, pauses []time.Duration
	for range 50 {
		var paused time.Time
		ctx := step.WithHook(t.Context(), func(_ context.Context, s step.Step) error {
			if s.Name == "libvirt pivot" && !s.After {
				paused = time.Now()
			} else if s.Name == "libvirt pivot" {
				pauses = append(pauses, time.Since(paused))
			}
			return nil
		})
		begin := time.Now()
		_, err := d.Hold(ctx, dom.ID, dom.Disks)
		holds = append(holds, time.Since(begin))
		begin = time.Now()
		if err := errors.Join(err, guestWrites(ctx, d, dom), d.Release(ctx, dom.ID, dom.Disks)); err != nil {
			t.Fatal(err)
		}
		releases = append(releases, time.Since(begin))
	}
	middle := func(all []time.Duration) (int64, int64) {
		slices.Sort(all)
		return all[len(all)/2].Milliseconds(), all[len(all)-1].Milliseconds()
	}
	h50, h100 := middle(holds)
	r50, r100 := middle(releases)
	p50, p100 := middle(pauses)
	t.Logf("proof: holding a running guest's disk takes %d ms (at most %d of 50), releasing it %d ms (%d), of which the guest stands still %d ms (%d)",
		h50, h100, r50, r100, p50, p100)
}

// recovering reports whether the ext4 file system in the first partition of an image has a journal to be replayed, as after
// a power cut; one that was frozen has not.
func recovering(t *testing.T, path string) bool {
	t.Helper()
	raw := path + ".raw"
	out, err := exec.CommandContext(t.Context(), "qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=1M", "count=2", "if="+path, "of="+raw).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	const superblock, magic, incompatible, recover = 1<<20 + 1024, 0x38, 0x60, 4 // of ext4's on-disk layout
	if binary.LittleEndian.Uint16(b[superblock+magic:]) != 0xef53 {
		t.Fatal("there is no ext4 file system")
	}
	return binary.LittleEndian.Uint32(b[superblock+incompatible:])&recover != 0
}

func TestProveQemuGuestAgentFreezesTheGuest(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "qga", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := tinyFrom(t, d, h, guestimage.Debian(t), "virtio", "vda")
	dom.NICs, dom.MemoryMiB = nil, 768
	dom.Channels = []hypervisor.Channel{{Name: hypervisor.GuestAgentChannel, Path: filepath.Join(h.Dir, "ga")}}
	if err := errors.Join(d.Define(t.Context(), dom), d.Start(t.Context(), dom.ID)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Remove(context.WithoutCancel(t.Context()), dom.ID); err != nil {
			t.Error(err)
		}
	})
	listening(t, d, dom.ID)
	copied := func(name string, compress bool) (string, time.Duration) {
		c := hypervisor.DiskCopy{Src: dom.Disks[0].Path, Backing: dom.Disks[0].Backing, Dst: filepath.Join(h.Dir, name), Compress: compress}
		begin := time.Now()
		if err := d.CopyDisk(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		return c.Dst, time.Since(begin)
	}
	begin := time.Now()
	by, err := d.Hold(t.Context(), dom.ID, dom.Disks)
	took := time.Since(begin)
	if err != nil || by != hypervisor.GuestAgent {
		t.Fatalf("frozen by %q, %v; want %s", by, err, hypervisor.GuestAgent)
	}
	frozen, plain := copied("frozen", false)
	packed, packing := copied("packed", true)
	if recovering(t, frozen) {
		t.Error("the copy of a frozen file system has a journal to be replayed")
	}
	if err := d.Release(t.Context(), dom.ID, dom.Disks); err != nil {
		t.Fatal(err)
	}
	// The same without its agent.
	g, err := d.live(t.Context(), "test", dom.ID)
	if err != nil {
		t.Fatal(err)
	}
	g.agent = false
	wanted, _, err := g.attached(dom.Disks)
	if err != nil {
		t.Fatal(err)
	}
	turn, err := d.holding.take(t.Context(), "test", dom.ID)
	if err != nil {
		t.Fatal(err)
	}
	err = d.makeOverlay(t.Context(), dom.Disks[0].Path)
	if err == nil {
		_, err = d.takeOverlays(t.Context(), turn, g, wanted)
	}
	turn.leave()
	if err != nil {
		t.Fatal(err)
	}
	crash, _ := copied("crash", false)
	if !recovering(t, crash) {
		t.Error("the copy of a file system that was not frozen has no journal to be replayed: the test proves nothing")
	}
	if err := d.Release(t.Context(), dom.ID, dom.Disks); err != nil {
		t.Fatal(err)
	}
	size := func(path string) int64 {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size() >> 20
	}
	t.Logf("proof: Debian 12 with qemu-guest-agent, emulated: frozen, held and thawed in %d ms; its ext4 needs no recovery in the copy, without the agent it does", took.Milliseconds())
	t.Logf("proof: its disk is copied flat in %.1f s (%d MiB), compressed in %.1f s (%d MiB)", plain.Seconds(), size(frozen), packing.Seconds(), size(packed))
}

// listening waits until the guest's agent does.
func listening(t *testing.T, d *Driver, id string) {
	t.Helper()
	tick, deadline := time.NewTicker(time.Second), time.After(10*time.Minute)
	defer tick.Stop()
	for {
		g, err := d.live(t.Context(), "test", id)
		if err == nil && g != nil && g.agent {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(fmt.Errorf("no agent in ten minutes: %w", err))
		}
	}
}
