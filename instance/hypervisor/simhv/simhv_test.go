package simhv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/hypervisortest"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
)

func TestConformance(t *testing.T) {
	hypervisortest.TestDriver(t, func(*testing.T) hypervisortest.Env {
		d := simhv.New(simhv.Options{})
		return hypervisortest.Env{
			Driver:   d,
			PowerOff: func(_ context.Context, id string) error { return d.GuestShutdown(id) },
			Crash:    func(_ context.Context, id string) error { return d.Crash(id) },
			Write:    func(_ context.Context, dom hypervisor.Domain) error { return d.Write(dom.ID, "vda", "w") },
			Writes: func(_ context.Context, path string, backing []string) (int, error) {
				text, err := simhv.Written(append([]string{path}, backing...)...)
				return strings.Count(text, "\n"), err
			},
			Disconnect: func(context.Context) error { d.Disconnect(); return nil },
			Reconnect:  func(context.Context) error { d.Reconnect(); return nil },
			Lacks: map[string]string{
				"a domain that is not ours is left alone":          "nobody but the driver can define a simulated domain",
				"a driver that was opened again knows its domains": "a simulated hypervisor lasts as long as its driver",
			},
		}
	})
}

func TestAFailureComesOnceAndHasNoEffect(t *testing.T) {
	d := simhv.New(simhv.Options{})
	dom := hypervisor.Domain{ID: "a", VCPUs: 1, MemoryMiB: 64}
	d.FailNext("Define", fault.New("test", fault.Exhausted, "", "no room"))
	if err := d.Define(t.Context(), dom); !errors.Is(err, fault.Exhausted) {
		t.Errorf("error is %v, want exhausted", err)
	}
	if all, err := d.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("list is %v, %v after a failed Define", all, err)
	}
	if err := d.Define(t.Context(), dom); err != nil {
		t.Error(err)
	}
}

// wires is a switch that knows what is plugged in.
type wires struct {
	mu sync.Mutex
	in []string // guarded by mu
}

func (w *wires) Plug(bridge, mac string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = append(w.in, bridge+" "+mac)
}

func (w *wires) Unplug(bridge, mac string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = slices.DeleteFunc(w.in, func(s string) bool { return s == bridge+" "+mac })
}

func TestARunningGuestIsPluggedIn(t *testing.T) {
	w := &wires{}
	d := simhv.New(simhv.Options{Switch: w})
	log := filepath.Join(t.TempDir(), "console.log")
	dom := hypervisor.Domain{
		ID: "a", Name: "web", VCPUs: 1, MemoryMiB: 64, ConsoleLog: log,
		NICs: []hypervisor.NIC{{MAC: "02:00:00:00:00:01", Bridge: "br-vxlan-000001", MTU: 1400}},
	}
	check := func(want int, after string, err error) {
		t.Helper()
		if err != nil || len(w.in) != want {
			t.Errorf("after %s: %v plugged in, want %d; error %v", after, w.in, want, err)
		}
	}
	check(0, "Define", d.Define(t.Context(), dom))
	check(1, "Start", d.Start(t.Context(), "a"))
	check(0, "Crash", d.Crash("a"))
	check(1, "Start", d.Start(t.Context(), "a"))
	check(0, "GuestShutdown", d.GuestShutdown("a"))
	check(1, "Start", d.Start(t.Context(), "a"))
	dom.NICs = nil
	check(1, "another Define", d.Define(t.Context(), dom))
	check(0, "Vanish", d.Vanish("a"))
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SIM-BOOT 3 a", "SIM-NET eth0 mac=02:00:00:00:00:01", "SIM-READY web\r\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("console log lacks %q:\n%s", want, text)
		}
	}
}

func TestAThousandGuestsFit(t *testing.T) {
	d := simhv.New(simhv.Options{})
	h, err := d.Host(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.CPUs*16 < 1000 || h.MemoryMiB < 1000*1024 {
		t.Errorf("host %+v has no room for 1000 guests of 1 vCPU and 1 GiB", h)
	}
	for i := range 1000 {
		dom := hypervisor.Domain{ID: fmt.Sprint(i), VCPUs: 1, MemoryMiB: 1024}
		if err := errors.Join(d.Define(t.Context(), dom), d.Start(t.Context(), dom.ID)); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkGuest(b *testing.B) {
	d, dir := simhv.New(simhv.Options{}), b.TempDir()
	for i := range b.N {
		id := fmt.Sprint(i)
		path := filepath.Join(dir, id)
		err := errors.Join(
			d.MakeDisk(b.Context(), hypervisor.Disk{Path: path, SizeBytes: 20 << 30}),
			d.Define(b.Context(), hypervisor.Domain{
				ID: id, VCPUs: 1, MemoryMiB: 64, ConsoleLog: path + ".log",
				Disks: []hypervisor.DomainDisk{{Path: path, Device: "vda"}},
			}),
			d.Start(b.Context(), id))
		if err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	d := simhv.New(simhv.Options{})
	ctx := context.Background()
	_ = d.Define(ctx, hypervisor.Domain{ID: "d0b1", Name: "web", VCPUs: 1, MemoryMiB: 256})
	_ = d.Start(ctx, "d0b1")
	_ = d.Crash("d0b1")
	all, _ := d.List(ctx)
	fmt.Println(all)
	// Output: [{d0b1 crashed}]
}
