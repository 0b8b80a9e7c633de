//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/hypervisortest"
	"github.com/shakenfist/shakenfist/internal/needs"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

const nodeFile = `<node><cpu><mhz>2000</mhz><model>x</model><active>8</active><nodes>1</nodes><sockets>1</sockets>
<cores>8</cores><threads>1</threads></cpu><memory>16000000</memory></node>`

// library ends the test where libvirt's library is not installed.
func library(t *testing.T) {
	t.Helper()
	if err := eventLoop(); err != nil {
		needs.Missing(t, needs.Libvirt, fmt.Errorf("libvirt's library cannot be used: %w; run tools/setup to install it", err))
	}
}

func opened(t *testing.T, o Options) *Driver {
	t.Helper()
	if o.Owner == "" {
		o.Owner, o.Node = "cloud", "node1"
	}
	d, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestConformanceMock(t *testing.T) {
	library(t)
	hypervisortest.TestDriver(t, func(t *testing.T) hypervisortest.Env {
		t.Helper()
		node := filepath.Join(t.TempDir(), "node.xml")
		if err := os.WriteFile(node, []byte(nodeFile), 0o600); err != nil {
			t.Fatal(err)
		}
		d := opened(t, Options{URI: "test://" + node})
		return hypervisortest.Env{
			Driver: d,
			PowerOff: func(ctx context.Context, id string) error {
				return d.domain(ctx, "test", id, (*libvirt.Domain).Shutdown)
			},
			Stranger: func(ctx context.Context, id string) (func(context.Context) bool, error) { return stranger(ctx, d, id) },
			Lacks: map[string]string{
				"a missing disk is named":                            "the mock opens no files",
				"a new definition is seen at the next start":         "the mock opens no files, so a start cannot tell which disk it sees",
				"a guest that powers itself off is seen off":         "the mock runs no guest that could say that it is up",
				"a guest that dies is seen crashed":                  "the mock has no process that could die",
				"what a guest says is appended to its console log":   "the mock has no consoles",
				"a lost connection is reported and comes back":       "the mock is in this process",
				"a held disk stands still while its guest writes on": "the mock attaches no disks",
				"holding and releasing twice is success":             "the mock attaches no disks",
				"a disk that cannot be held is refused":              "the mock attaches no disks",
				"what a guest wrote while held survives its end":     "the mock attaches no disks",
				"a hold or release that was cut off is made good":    "the mock attaches no disks",
				"whoever dies while a disk is held, nothing is lost": "the mock attaches no disks",
				"a guest boots from the copy of a disk":              "the mock runs no guests",
				"a disk that is written to is not copied":            "the mock opens no files",
				"a driver that was opened again knows its domains":   "each connection to the mock has domains of its own",
			},
		}
	})
}

// stranger defines a domain with a name like ours that belongs to another cloud.
func stranger(ctx context.Context, d *Driver, id string) (func(context.Context) bool, error) {
	h := d.host()
	h.owner.Cloud = "another"
	text, err := domainXML(h, hypervisor.Domain{ID: id, Name: "theirs", VCPUs: 1, MemoryMiB: 32, Machine: "pc"})
	if err != nil {
		return nil, err
	}
	define := func(c *libvirt.Connect) error {
		ld, err := c.DomainDefineXML(text)
		if err != nil {
			return err
		}
		return errors.Join(ld.Create(), ld.Free())
	}
	if err := d.call(ctx, "test", id, define); err != nil {
		return nil, err
	}
	return func(ctx context.Context) bool {
		running := false
		err := d.call(ctx, "test", id, func(c *libvirt.Connect) error {
			ld, err := c.LookupDomainByUUIDString(id)
			if err != nil {
				return err
			}
			meta, err1 := ld.GetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, metadataURI, 0)
			running, err = ld.IsActive()
			running = running && strings.Contains(meta, "another")
			return errors.Join(err1, err, destroy(ld), ld.Undefine(), ld.Free())
		})
		return err == nil && running
	}, nil
}

// socket is the URI of a pretend host's libvirtd.
func socket(h *pretendhost.Host) string {
	return "qemu+unix:///system?socket=" + h.Path("/run/libvirt/libvirt-sock")
}

func TestConformanceQEMU(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "hv", Libvirt: true})
	n := 0
	hypervisortest.TestDriver(t, func(t *testing.T) hypervisortest.Env {
		t.Helper()
		n++
		dir := filepath.Join(h.Dir, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: dir})
		return hypervisortest.Env{
			Driver: d, Dir: dir,
			PowerOff: func(ctx context.Context, id string) error { return d.domain(ctx, "test", id, pressKey) },
			Crash:    func(_ context.Context, id string) error { return killQEMU(h, id) },
			Write:    func(ctx context.Context, dom hypervisor.Domain) error { return guestWrites(ctx, d, dom) },
			Writes:   sectorOf,
			Again: func(t *testing.T) hypervisor.Driver {
				t.Helper()
				return opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: dir})
			},
			Disconnect: func(context.Context) error { return h.KillLibvirtd() },
			Reconnect:  h.StartLibvirtd,
			Stranger:   func(ctx context.Context, id string) (func(context.Context) bool, error) { return stranger(ctx, d, id) },
		}
	})
}

// Keys of linux/input-event-codes.h.
const (
	keyW     = 17
	keySpace = 57
)

func pressKey(ld *libvirt.Domain) error { return press(ld, keySpace) }

func press(ld *libvirt.Domain, key uint) error {
	return ld.SendKey(uint(libvirt.KEYCODE_SET_LINUX), 50, []uint{key}, 0)
}

// guestWrites has the guest of hypervisortest write once.
func guestWrites(ctx context.Context, d *Driver, dom hypervisor.Domain) error {
	count := func() int {
		text, err := os.ReadFile(dom.ConsoleLog)
		if err != nil {
			return 0
		}
		return strings.Count(string(text), hypervisortest.GuestWrote)
	}
	before := count()
	if err := d.domain(ctx, "test", dom.ID, func(ld *libvirt.Domain) error { return press(ld, keyW) }); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for count() == before {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("the guest did not write")
		}
	}
	return nil
}

// sectorOf returns how often the guest of hypervisortest has written to an image.
func sectorOf(ctx context.Context, path string, _ []string) (int, error) {
	dir, err := os.MkdirTemp("", "sf-sector-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of a test
	raw := filepath.Join(dir, "raw")
	out, err := exec.CommandContext(ctx, "qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=512", "count=2", "if="+path, "of="+raw).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	b, err := os.ReadFile(raw)
	if err != nil {
		return 0, err
	}
	return int(b[hypervisortest.GuestSector*512]), nil
}

func killQEMU(h *pretendhost.Host, id string) error {
	text, err := qemuPID(h, id)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// qemuPID returns the process that runs a guest.
func qemuPID(h *pretendhost.Host, id string) (string, error) {
	b, err := os.ReadFile(h.Path("/run/libvirt/qemu/" + domainName(id) + ".pid"))
	return strings.TrimSpace(string(b)), err
}

// TestEveryBusAndMachineStarts has QEMU itself judge the golden domains, with schema validation by libvirt.
func TestEveryBusAndMachineStarts(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "buses", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	for name, dom := range goldenDomains() {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(h.Dir, name)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			dom := realize(t, d, dom, dir)
			text, err := domainXML(d.host(), dom)
			if err != nil {
				t.Fatal(err)
			}
			err = d.call(t.Context(), "test", dom.ID, func(c *libvirt.Connect) error {
				ld, err := c.DomainDefineXMLFlags(text, libvirt.DOMAIN_DEFINE_VALIDATE)
				if err != nil {
					return err
				}
				return ld.Free()
			})
			if err := errors.Join(err, d.Define(t.Context(), dom), d.Start(t.Context(), dom.ID)); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			if err := d.Remove(t.Context(), dom.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

// realize gives dom files below dir, and no NICs, since there are no bridges.
func realize(t *testing.T, d *Driver, dom hypervisor.Domain, dir string) hypervisor.Domain {
	t.Helper()
	move := func(p string) string { return filepath.Join(dir, filepath.Base(p)) }
	build := func(disk hypervisor.Disk) {
		if err := d.MakeDisk(t.Context(), disk); err != nil {
			t.Fatal(err)
		}
	}
	dom.NICs, dom.MemoryMiB, dom.ConsoleLog, dom.NVRAM = nil, 64, move(dom.ConsoleLog), move(dom.NVRAM)
	for i := range dom.Channels {
		dom.Channels[i].Path = move(dom.Channels[i].Path)
	}
	for i := range dom.Disks {
		x := &dom.Disks[i]
		x.Path = move(x.Path)
		base := ""
		if n := len(x.Backing); n > 0 { // a base of our making has no base itself
			base = move(x.Backing[n-1])
			x.Backing = []string{base}
			build(hypervisor.Disk{Path: base, SizeBytes: 1 << 20})
		}
		if x.Format == hypervisor.ISO {
			if err := os.WriteFile(x.Path, hypervisortest.GuestImage(), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		build(hypervisor.Disk{Path: x.Path, SizeBytes: 1 << 20, Base: base})
	}
	return dom
}

func TestALibvirtThatIsNotThereIsUnavailable(t *testing.T) {
	library(t)
	d := opened(t, Options{URI: "qemu+unix:///system?socket=" + filepath.Join(t.TempDir(), "none"), Accelerator: QEMU})
	_, err := d.List(t.Context())
	if !errors.Is(err, fault.Unavailable) || !strings.Contains(fault.Text(err), d.o.URI) {
		t.Errorf("error is %v, want unavailable, naming the URI", err)
	}
}

func TestALibvirtThatHangsIsGivenUp(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "hang", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU})
	if _, err := d.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid, err := h.LibvirtdPID()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT) //nolint:errcheck // the host ends it anyway
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err = d.List(ctx); !errors.Is(err, fault.Unavailable) || time.Since(begin) > 5*time.Second {
		t.Errorf("error is %v after %v, want unavailable at the context's end", err, time.Since(begin))
	}
}

func TestCloseLeavesNoConnection(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "close", Libvirt: true})
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	openAndClose := func() {
		d, err := Open(t.Context(), Options{URI: socket(h), Accelerator: QEMU, Owner: "cloud", Node: "node1"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.List(t.Context()); err != nil {
			t.Error(err)
		}
		if err := errors.Join(d.Close(), d.Close()); err != nil {
			t.Error(err)
		}
		if _, err := d.List(t.Context()); !errors.Is(err, fault.Unavailable) {
			t.Errorf("after Close: error is %v, want unavailable", err)
		}
	}
	openAndClose()
	before := count()
	for range 10 {
		openAndClose()
	}
	if after := count(); after > before+2 {
		t.Errorf("%d open files before, %d after ten drivers were opened and closed", before, after)
	}
}

func BenchmarkList(b *testing.B) {
	h := pretendhost.Start(b, pretendhost.Options{Name: "list", Libvirt: true})
	d, err := Open(b.Context(), Options{URI: socket(h), Accelerator: QEMU, Owner: "cloud", Node: "node1"})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // it returns none
	const guests = 100
	for i := range guests {
		dom := hypervisor.Domain{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), VCPUs: 1, MemoryMiB: 32, Machine: "pc"}
		if err := d.Define(b.Context(), dom); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if all, err := d.List(b.Context()); err != nil || len(all) != guests {
			b.Fatal(len(all), err)
		}
	}
}
