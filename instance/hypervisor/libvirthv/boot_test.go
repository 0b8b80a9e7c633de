//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/guestimage"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

const bridge = "br-vxlan-000001"

// tiny returns the definition of a tiny guest with its root disk on that bus. Its files are there.
func tiny(t *testing.T, d *Driver, h *pretendhost.Host, bus, device string) hypervisor.Domain {
	t.Helper()
	return tinyFrom(t, d, h, guestimage.Tiny(t), bus, device)
}

// tinyFrom is tiny with the guest's image in the file path.
func tinyFrom(t *testing.T, d *Driver, h *pretendhost.Host, path, bus, device string) hypervisor.Domain {
	t.Helper()
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(h.Dir, bus)
	src := hypervisor.Image{Path: filepath.Join(dir, "image"), Format: hypervisor.QCOW2}
	base, disk := filepath.Join(dir, "base.qcow2"), filepath.Join(dir, "root.qcow2")
	err = errors.Join(
		os.Mkdir(dir, 0o755),
		os.WriteFile(src.Path, image, 0o600),
		d.Convert(t.Context(), src, base),
		d.MakeDisk(t.Context(), hypervisor.Disk{Path: disk, SizeBytes: 2 << 30, Base: base}))
	if err != nil {
		t.Fatal(err)
	}
	return hypervisor.Domain{
		ID: goldenID, Name: "tiny", VCPUs: 1, MemoryMiB: 128, Machine: "pc",
		Disks:      []hypervisor.DomainDisk{{Path: disk, Format: hypervisor.QCOW2, Device: device, Bus: bus, Backing: []string{base}}},
		NICs:       []hypervisor.NIC{{MAC: "02:00:00:00:00:01", Bridge: bridge, Model: "virtio", MTU: 1400}},
		Channels:   []hypervisor.Channel{{Name: "sf-agent", Path: filepath.Join(dir, "sc-sf-agent")}},
		ConsoleLog: filepath.Join(dir, "console.log"), Video: "cirrus", VideoKiB: 16384,
	}
}

func TestAGuestBoots(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "boot", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	for _, disk := range [][2]string{{"virtio", "vda"}, {"nvme", "nvme0"}} { // the first makes the bridge
		bus, device := disk[0], disk[1]
		t.Run(bus, func(t *testing.T) {
			dom := tiny(t, d, h, bus, device)
			if err := d.Define(t.Context(), dom); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := d.Remove(context.WithoutCancel(t.Context()), dom.ID); err != nil {
					t.Error(err)
				}
			})
			if bus == "virtio" {
				noBridge(t, d, dom.ID)
				if _, err := h.Run(t.Context(), "ip", "link", "add", bridge, "mtu", "1400", "type", "bridge"); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.Start(t.Context(), dom.ID); err != nil {
				t.Fatal(err)
			}
			text := waitFor(t, dom.ConsoleLog, "TINY-READY")
			ports, err := h.Run(t.Context(), "ip", "-o", "link", "show", "master", bridge)
			if err != nil || !strings.Contains(ports, "mtu 1400") || !strings.Contains(ports, "fe:00:00:00:00:01") {
				t.Errorf("the bridge's ports are %q, %v; want the guest's with MTU 1400", ports, err)
			}
			if fi, err := os.Stat(dom.Channels[0].Path); err != nil || fi.Mode().Type() != os.ModeSocket {
				t.Errorf("the channel's socket is not there: %v", err)
			}
			if bus == "nvme" && !strings.Contains(text, "nvme") {
				t.Errorf("the guest does not see an NVMe disk:\n%s", text)
			}
			confined(t, d, h, dom)
		})
	}
}

// noBridge checks what is said while the network of a guest is not on the host yet.
func noBridge(t *testing.T, d *Driver, id string) {
	t.Helper()
	if err := d.Start(t.Context(), id); !errors.Is(err, fault.Unavailable) || !strings.Contains(fault.Text(err), "bridge") {
		t.Errorf("without its bridge: error is %v, want unavailable, naming it", err)
	}
}

// confined checks that the running guest's QEMU is not root, can write its disk, and can only read what others share.
func confined(t *testing.T, d *Driver, h *pretendhost.Host, dom hypervisor.Domain) {
	t.Helper()
	u, err := d.qemuUser()
	if err != nil {
		t.Fatal(err)
	}
	owner := func(path string) (uint32, os.FileMode) {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok {
			t.Fatal("no owner known")
		}
		return st.Uid, fi.Mode().Perm()
	}
	if uid, mode := owner(dom.Disks[0].Path); uid != u.uid || mode != 0o600 {
		t.Errorf("the disk belongs to %d with mode %o, want %d and 600", uid, mode, u.uid)
	}
	if uid, mode := owner(dom.Disks[0].Backing[0]); uid != 0 || mode != 0o640 {
		t.Errorf("the shared image belongs to %d with mode %o, want root and 640", uid, mode)
	}
	pid, err := qemuPID(h, dom.ID)
	if err != nil {
		t.Fatal(err)
	}
	if uid, _ := owner("/proc/" + pid); uid != u.uid {
		t.Errorf("QEMU runs as %d, want %d", uid, u.uid)
	}
}

func waitFor(t *testing.T, path, marker string) string {
	t.Helper()
	tick, deadline := time.NewTicker(50*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), marker) {
			return string(text)
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no %q in %s: %v\n%s", marker, path, err, text)
		}
	}
}

func TestAHostWithoutMemoryIsExhausted(t *testing.T) {
	library(t)
	h := pretendhost.Start(t, pretendhost.Options{Name: "full", Libvirt: true})
	d := opened(t, Options{URI: socket(h), Accelerator: QEMU, StorageDir: h.Dir})
	dom := hypervisor.Domain{ID: goldenID, Name: "huge", VCPUs: 1, MemoryMiB: 1 << 27, Machine: "q35"}
	if err := d.Define(t.Context(), dom); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context(), dom.ID); !errors.Is(err, fault.Exhausted) {
		t.Errorf("error is %v, want exhausted", err)
	}
	all, err := d.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Power != hypervisor.PowerOff {
		t.Errorf("list is %v, %v; want the guest that could not start off", all, err)
	}
}
