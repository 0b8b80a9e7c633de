//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/qemuimg"
	"github.com/shakenfist/shakenfist/internal/step"
)

const kvmDevice = "/dev/kvm"

// Host implements hypervisor.Driver.
func (d *Driver) Host(ctx context.Context) (hypervisor.Host, error) {
	const op = "libvirthv.Host"
	if err := d.checkHost(ctx); err != nil {
		return hypervisor.Host{}, fault.Wrap(op, "", err)
	}
	found := make(chan hypervisor.Host, 1)
	err := d.call(ctx, op, "", func(c *libvirt.Connect) error {
		h, err := d.describe(c)
		found <- h
		return err
	})
	if err != nil {
		return hypervisor.Host{}, err
	}
	h := <-found
	d.maxVCPUs.Store(int64(h.MaxVCPUs))
	return h, nil
}

// describe asks libvirt what this node offers.
func (d *Driver) describe(c *libvirt.Connect) (hypervisor.Host, error) {
	kind, err1 := c.GetType()
	lib, err2 := c.GetLibVersion()
	hv, err3 := c.GetVersion()
	node, err4 := c.GetNodeInfo()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return hypervisor.Host{}, err
	}
	h := hypervisor.Host{
		Version:     fmt.Sprintf("libvirt %s, %s %s", version(lib), strings.ToLower(kind), version(hv)),
		Accelerator: d.kind,
		Reason:      d.reason,
		CPUs:        int(node.Cpus),
		MemoryMiB:   int(node.Memory >> 10),
		MaxVCPUs:    d.mostVCPUs(c),
	}
	if d.o.mock() {
		h.Accelerator = "simulated"
	}
	return h, nil
}

// mostVCPUs returns the most vCPUs of a guest of either machine type.
func (d *Driver) mostVCPUs(c *libvirt.Connect) int {
	most := 0
	for _, machine := range []string{"pc", "q35"} {
		text, err := c.GetDomainCapabilities("", "x86_64", machine, d.kind, 0)
		if err != nil {
			continue
		}
		var caps libvirtxml.DomainCaps
		if caps.Unmarshal(text) == nil && caps.VCPU != nil && (most == 0 || int(caps.VCPU.Max) < most) {
			most = int(caps.VCPU.Max)
		}
	}
	if most > 0 {
		return most
	}
	if n, err := c.GetMaxVcpus(d.kind); err == nil && n > 0 {
		return n
	}
	return 1
}

func version(n uint32) string { return fmt.Sprintf("%d.%d.%d", n/1_000_000, n/1000%1000, n%1000) }

// checkHost reports, as a fault.Invalid that names the cure, why no guest would start here.
func (d *Driver) checkHost(ctx context.Context) error {
	if d.o.mock() {
		return nil
	}
	if err := qemuimg.Check(); err != nil {
		return err
	}
	if !d.o.system() || os.Geteuid() != 0 {
		return nil
	}
	u, err := d.qemuUser()
	if err != nil {
		return err
	}
	if d.o.Accelerator != QEMU {
		if err := checkKVM(ctx, u, d.o.Accelerator == KVM); err != nil {
			return err
		}
	}
	return checkWay(ctx, u, d.o.StorageDir)
}

// checkKVM reports why libvirt cannot use /dev/kvm as it should. One that is there and that QEMU's user may not open
// makes libvirt probe QEMU again at every start of a guest, which then takes a minute.
func checkKVM(ctx context.Context, u qemuUser, required bool) error {
	const op = "libvirthv.Host"
	if !there(kvmDevice) {
		if !required {
			return nil
		}
		return fault.New(op, fault.Invalid, "", "there is no %s: switch virtualization on in the firmware and load kvm_intel or kvm_amd, or set the accelerator to qemu", kvmDevice)
	}
	if u.may(ctx, kvmDevice, "-r") && u.may(ctx, kvmDevice, "-w") {
		return nil
	}
	return fault.New(op, fault.Invalid, "",
		"user %s may not open %s, which makes every start of a guest take a minute: chgrp kvm %s && chmod 660 %s, have %s in group kvm, and restart libvirtd",
		u.name, kvmDevice, kvmDevice, kvmDevice, u.name)
}

// checkWay reports the first folder on the way to dir that QEMU's user cannot pass.
func checkWay(ctx context.Context, u qemuUser, dir string) error {
	const op = "libvirthv.Host"
	if dir == "" {
		return nil
	}
	if !filepath.IsAbs(dir) {
		return fault.New(op, fault.Invalid, "", "the storage folder %q must be an absolute path", dir)
	}
	if u.may(ctx, dir, "-x") {
		return nil
	}
	way := ""
	for part := range strings.SplitSeq(filepath.Clean(dir), "/") {
		way = filepath.Join("/", way, part)
		if _, err := os.Stat(way); err != nil {
			return fault.Because(op, fault.Invalid, "", err, "the storage folder %s is not there: mkdir -p %s", dir, dir)
		}
		if !u.may(ctx, way, "-x") {
			return fault.New(op, fault.Invalid, "", "user %s, who runs QEMU, cannot get into %s, so no guest can open its disks in %s: chmod o+x %s",
				u.name, way, dir, way)
		}
	}
	return nil
}

// qemuUser is who QEMU runs as.
type qemuUser struct {
	name     string
	uid, gid uint32
	groups   []uint32
}

// qemuUser returns who QEMU runs as here, looked up until found.
func (d *Driver) qemuUser() (qemuUser, error) {
	if u := d.user.Load(); u != nil {
		return *u, nil
	}
	u, err := lookUp(d.o.User, d.o.Group)
	if err == nil {
		d.user.Store(&u)
	}
	return u, err
}

// lookUp finds that user. It fails with fault.Invalid if there is none; libvirt starts no guest then.
func lookUp(name, group string) (qemuUser, error) {
	const op = "libvirthv.Host"
	u, err := user.Lookup(name)
	if err != nil {
		return qemuUser{}, fault.Because(op, fault.Invalid, "", err,
			"there is no user %s to run QEMU: adduser --system --ingroup kvm --home /var/lib/libvirt %s, or install libvirt-daemon-system again; then restart libvirtd", name, name)
	}
	q := qemuUser{name: name, uid: number(u.Uid), gid: number(u.Gid)}
	if g, err := user.LookupGroup(group); err == nil {
		q.groups = append(q.groups, q.gid)
		q.gid = number(g.Gid)
	}
	if ids, err := u.GroupIds(); err == nil {
		for _, id := range ids {
			q.groups = append(q.groups, number(id))
		}
	}
	return q, nil
}

func number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 65534 // nobody
	}
	return uint32(n)
}

// may asks the kernel, by test(1) run as that user, whether it may do to path what the option of test says. If it cannot
// be asked the answer is yes: libvirt will complain by itself.
func (u qemuUser) may(ctx context.Context, path, option string) bool {
	if os.Geteuid() != 0 {
		return true
	}
	refused := false
	err := step.Do(ctx, "exec test", path, func() error {
		c := exec.CommandContext(ctx, "test", option, path)
		c.Dir = "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.uid, Gid: u.gid, Groups: u.groups}}
		e, ok := errors.AsType[*exec.ExitError](c.Run())
		refused = ok && e.ExitCode() == 1
		return nil
	})
	return err != nil || !refused
}
