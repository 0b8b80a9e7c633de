//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
)

// probe is the boot sector of probe/probe.s.
//
//go:embed probe/probe.bin
var probe []byte

const (
	probePassed = 85              // QEMU's exit code when the probe has got through: 0x2a * 2 + 1
	probeTime   = 3 * time.Second // that it may take

	// KVM that takes longer than this many times what emulation takes, plus this, is itself emulated or broken. On
	// working KVM the probe takes less time than under emulation.
	probeFactor = 2
	probeSlack  = 300 * time.Millisecond
)

// errEnded is the odd case that QEMU ended without an error and without a result.
var errEnded = errors.New("QEMU ended by itself")

// accelerator says how guests are run, and why. The presence of /dev/kvm proves little: inside some virtual machines it
// is there and ordinary kernels hang on it. So a guest is booted with it.
func (d *Driver) accelerator(ctx context.Context) (kind, reason string) {
	if d.o.mock() {
		return "test", "libvirt's mock driver runs no guests"
	}
	if d.o.Accelerator == KVM {
		return KVM, "it was asked for"
	}
	u, err := d.qemuUser()
	var trap error
	if err == nil && d.o.system() {
		trap = checkKVM(ctx, u, false)
	}
	switch {
	case d.o.Accelerator == QEMU:
		if trap != nil {
			d.o.Logger.WarnContext(ctx, "guests will start slowly", slog.String("reason", fault.Text(trap)))
		}
		return QEMU, "it was asked for"
	case trap != nil:
		return QEMU, fault.Text(trap)
	case !there(kvmDevice):
		return QEMU, "there is no " + kvmDevice
	}
	return judge(ctx, boot)
}

// judge compares KVM with emulation by booting the probe with each.
func judge(ctx context.Context, boot func(ctx context.Context, accel string) (time.Duration, error)) (kind, reason string) {
	best := func(accel string) (least time.Duration, err error) {
		for i := range 2 { // the first start also reads QEMU from disk
			took, err := boot(ctx, accel)
			if err != nil {
				return 0, err
			}
			if i == 0 || took < least {
				least = took
			}
		}
		return least, nil
	}
	kvm, err := best("kvm")
	if err != nil {
		return QEMU, fmt.Sprintf("KVM does not boot a guest: %v", err)
	}
	emulated, err := best("tcg")
	if err != nil {
		return KVM, fmt.Sprintf("KVM boots a guest in %d ms, emulation does not: %v", kvm.Milliseconds(), err)
	}
	if kvm > probeFactor*emulated+probeSlack {
		return QEMU, fmt.Sprintf("KVM boots a guest in %d ms, emulation in %d ms: this KVM is emulated itself or broken",
			kvm.Milliseconds(), emulated.Milliseconds())
	}
	return KVM, fmt.Sprintf("KVM boots a guest in %d ms, emulation in %d ms", kvm.Milliseconds(), emulated.Milliseconds())
}

// boot runs the probe and says how long it took.
func boot(ctx context.Context, accel string) (time.Duration, error) {
	dir, err := os.MkdirTemp("", "sf-probe-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the folder of temporary files
	disk := make([]byte, 1<<20)
	copy(disk, probe)
	disk[510], disk[511] = 0x55, 0xaa
	path := filepath.Join(dir, "probe.img")
	if err := os.WriteFile(path, disk, 0o600); err != nil {
		return 0, err
	}
	cpu := map[string]string{"kvm": "host", "tcg": "max"}[accel]
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	c := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", accel, "-cpu", cpu, "-machine", "pc", "-m", "32",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-drive", "file="+path+",format=raw,if=ide")
	var said bytes.Buffer
	c.Stderr = &said
	begin := time.Now()
	err = step.Do(ctx, "exec qemu probe", accel, c.Run)
	took := time.Since(begin)
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == probePassed {
		return took, nil
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("it was not up after %v", probeTime)
	}
	return 0, fmt.Errorf("%w: %s", cmp.Or(err, errEnded), strings.TrimSpace(said.String()))
}
