//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/needs"
)

func TestKVMIsTakenOnlyWhenItProvesItself(t *testing.T) {
	hangs := errors.New("it was not up after 3s")
	for name, c := range map[string]struct {
		kvm, emulated       time.Duration
		kvmErr, emulatedErr error
		want, because       string
	}{
		"it is fast":                 {kvm: 60 * time.Millisecond, emulated: 120 * time.Millisecond, want: KVM, because: "60 ms"},
		"it is as slow as emulation": {kvm: 500 * time.Millisecond, emulated: 120 * time.Millisecond, want: KVM, because: "500 ms"},
		"it is itself emulated":      {kvm: 1700 * time.Millisecond, emulated: 120 * time.Millisecond, want: QEMU, because: "1700 ms"},
		"it hangs":                   {kvmErr: hangs, emulated: 120 * time.Millisecond, want: QEMU, because: "not up"},
		"emulation is missing":       {kvm: 60 * time.Millisecond, emulatedErr: errors.New("no tcg"), want: KVM, because: "no tcg"},
	} {
		kind, reason := judge(t.Context(), func(_ context.Context, accel string) (time.Duration, error) {
			if accel == "kvm" {
				return c.kvm, c.kvmErr
			}
			return c.emulated, c.emulatedErr
		})
		if kind != c.want || !strings.Contains(reason, c.because) {
			t.Errorf("%s: %s because %q, want %s because of %q", name, kind, reason, c.want, c.because)
		}
	}
}

func TestTheProbeBootsUnderEmulation(t *testing.T) {
	if err := needs.CheckCommands("qemu-system-x86_64"); err != nil {
		needs.Missing(t, needs.Libvirt, err)
	}
	if took, err := boot(t.Context(), "tcg"); err != nil || took <= 0 {
		t.Errorf("took %v, error %v", took, err)
	}
	if _, err := boot(t.Context(), "xen"); err == nil {
		t.Error("an accelerator that is not there passes")
	}
}

func TestTheProbeIsWhatItsSourceSays(t *testing.T) {
	if err := needs.CheckCommands("as", "ld"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	o, bin := filepath.Join(dir, "probe.o"), filepath.Join(dir, "probe.bin")
	for _, c := range [][]string{
		{"as", "--64", "-o", o, "probe/probe.s"},
		{"ld", "-Ttext", "0x7c00", "--oformat", "binary", "-o", bin, o},
	} {
		if out, err := exec.CommandContext(t.Context(), c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Skipf("this machine's %s cannot do it: %v: %s", c[0], err, out)
		}
	}
	if got, err := os.ReadFile(bin); err != nil || !bytes.Equal(got, probe) || len(got) > 510 {
		t.Errorf("probe.bin is not what probe.s assembles to; assemble it again (error %v)", err)
	}
}

// nobody is a user who owns nothing here.
func nobody() qemuUser { return qemuUser{name: "nobody", uid: 65534, gid: 65534} }

func TestAFolderThatQEMUCannotPassIsNamed(t *testing.T) {
	needs.Tools(t, needs.Root, "test")
	top, err := os.MkdirTemp("", "way-") // unlike t.TempDir, below folders that everybody can pass
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(top) //nolint:errcheck // of a test
	shut, deep := filepath.Join(top, "shut"), filepath.Join(top, "shut", "deep")
	if err := errors.Join(os.Chmod(top, 0o755), os.MkdirAll(deep, 0o755), os.Chmod(shut, 0o700)); err != nil {
		t.Fatal(err)
	}
	err = checkWay(t.Context(), nobody(), deep)
	if text := fault.Text(err); !errors.Is(err, fault.Invalid) || !strings.Contains(text, "chmod o+x "+shut) {
		t.Errorf("error is %v, want invalid with the cure chmod o+x %s", err, shut)
	}
	if err := os.Chmod(shut, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := checkWay(t.Context(), nobody(), deep); err != nil {
		t.Errorf("after the cure: %v", err)
	}
	if err := checkWay(t.Context(), nobody(), filepath.Join(top, "none")); !errors.Is(err, fault.Invalid) {
		t.Errorf("a folder that is not there: error is %v, want invalid", err)
	}
}

func TestAKVMThatQEMUCannotOpenIsNamed(t *testing.T) {
	needs.Tools(t, needs.Root, "test")
	if !there(kvmDevice) {
		t.Skip("this machine has no /dev/kvm")
	}
	err := checkKVM(t.Context(), nobody(), false)
	if nobody().may(t.Context(), kvmDevice, "-w") {
		if err != nil {
			t.Errorf("everybody may open it, yet: %v", err)
		}
		return
	}
	if text := fault.Text(err); !errors.Is(err, fault.Invalid) || !strings.Contains(text, "chgrp kvm /dev/kvm && chmod 660 /dev/kvm") {
		t.Errorf("error is %v, want invalid with the cure", err)
	}
}

func TestAMissingUserIsNamed(t *testing.T) {
	_, err := lookUp("no-such-user", "no-such-group")
	if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Text(err), "adduser") {
		t.Errorf("error is %v, want invalid with the cure", err)
	}
}

func TestOptionsThatCannotBeAreInvalid(t *testing.T) {
	for name, o := range map[string]Options{
		"no owner":            {Node: "node1"},
		"no node":             {Owner: "cloud"},
		"unknown accelerator": {Owner: "cloud", Node: "node1", Accelerator: "hvf"},
	} {
		if _, err := Open(t.Context(), o); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: error is %v, want invalid", name, err)
		}
	}
}
