// Package pretendhost makes machines out of namespaces, for tests and benchmarks that need a host, or several.
//
// A pretend host is a network, a mount and a UTS namespace with a /run, a /dev, a /sys and libvirt folders of its own,
// and on demand a libvirtd of its own, so that qemu:///system inside it is that host's. Hosts that share a Lab reach
// each other through it; nothing else of the machine is reachable. What is not listed here, such as the file system
// and its temporary directories, is the machine's.
//
// A host goes with everything that ran on it and every file that was its own when the test ends, fails, or is killed.
package pretendhost

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/internal/needs"
)

//go:embed host.sh
var hostScript string

// patience bounds every wait for a host. It is long because a busy machine with two processors is slow, not because
// anything takes that long.
const patience = time.Minute

// errNotReady is the failure of a first process that ended without saying that it was ready.
var errNotReady = errors.New("it never became ready")

// Options says what a host is to be. The zero value is a lone host without libvirt or network.
type Options struct {
	Name    string       // host name; "" means "host"
	Lab     *Lab         // what joins it to other hosts; nil means a lab of its own if Address is set, otherwise none
	Address netip.Prefix // of eth0, such as 10.90.0.1/24; the zero Prefix means that there is no eth0
	Libvirt bool         // start virtlogd and libvirtd
	ShowKVM bool         // have the machine's /dev/kvm; hidden otherwise, because one that does not work costs a minute a guest
}

// Host is a machine made of namespaces.
type Host struct {
	Name string
	PID  int    // of the first process, whose namespaces are the host's
	Dir  string // a folder of the host's own, the same path inside and outside, which guests can traverse; gone with the host

	opts   Options
	holder *exec.Cmd
	alive  io.Closer // the host lives until this is closed
	ownLab bool
}

// Start makes a host that lasts as long as the test. It skips the test where the machine lacks what is needed.
func Start(t testing.TB, o Options) *Host {
	t.Helper()
	if n, err := check(o); err != nil {
		needs.Missing(t, n, err)
	}
	h, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && o.Libvirt {
			t.Logf("libvirtd of host %s:\n%s", h.Name, h.LibvirtLog())
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// check says which need is not met, and why.
func check(o Options) (needs.Need, error) {
	if err := needs.CheckRoot(); err != nil {
		return needs.Root, err
	}
	if err := needs.CheckCommands("bash", "ip", "mount", "nsenter"); err != nil {
		return needs.Root, err
	}
	if !o.Libvirt {
		return needs.Root, nil
	}
	return needs.Libvirt, needs.CheckCommands("libvirtd", "virtlogd", "qemu-img", "qemu-system-x86_64")
}

// New makes a host that lasts until Close, or until this process ends in any way.
func New(ctx context.Context, o Options) (*Host, error) {
	if o.Name == "" {
		o.Name = "host"
	}
	h := &Host{Name: o.Name, opts: o}
	if err := h.boot(); err != nil {
		return nil, errors.Join(fmt.Errorf("pretend host %s: %w", o.Name, err), h.Close())
	}
	if err := h.join(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("pretend host %s: network: %w", o.Name, err), h.Close())
	}
	if o.Libvirt {
		if err := h.startLibvirt(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("pretend host %s: %w\n%s", o.Name, err, h.LibvirtLog()), h.Close())
		}
	}
	return h, nil
}

// boot starts the first process and waits until it has built the host's file systems.
func (h *Host) boot() error {
	dir, err := os.MkdirTemp("", "pretendhost-")
	if err != nil {
		return err
	}
	h.Dir = dir
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // guests run as another user and must get through
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "dev"), 0o755); err != nil { //nolint:gosec // becomes the host's /dev
		return err
	}
	kvm := "0"
	if h.opts.ShowKVM {
		kvm = "1"
	}
	script := filepath.Join(dir, "host.sh")
	if err := os.WriteFile(script, []byte(hostScript), 0o600); err != nil {
		return err
	}
	h.holder = exec.Command("bash", script, h.Name, dir, kvm) //nolint:noctx // ends with its input
	h.alive, err = hold(h.holder, syscall.CLONE_NEWNET|syscall.CLONE_NEWNS|syscall.CLONE_NEWUTS)
	if err != nil {
		return err
	}
	h.PID = h.holder.Process.Pid
	return nil
}

// hold starts c in new namespaces and waits for the "ready" it prints. c must end when its standard input does.
func hold(c *exec.Cmd, namespaces uintptr) (io.Closer, error) {
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	c.Stderr = &said
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Setsid: true}
	if err := c.Start(); err != nil {
		return nil, err
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		_ = in.Close() // so that it ends
		return nil, fmt.Errorf("set-up failed (%w): %s", errors.Join(errNotReady, c.Wait()), strings.TrimSpace(said.String()))
	}
	return in, nil
}

// Close ends every process of the host and removes it. Closing twice is success.
func (h *Host) Close() error {
	var errs []error
	if h.alive != nil {
		errs = append(errs, h.alive.Close(), h.holder.Wait())
		h.alive = nil
	}
	if h.ownLab {
		errs = append(errs, h.opts.Lab.Close())
		h.ownLab = false
	}
	if h.Dir != "" {
		errs = append(errs, os.RemoveAll(h.Dir))
	}
	return errors.Join(errs...)
}

// Command returns the command that runs inside the host, in the caller's present directory. Its process is the command
// itself, so signals and exit codes are its own.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return enter(ctx, h.PID, name, args...)
}

// enter returns the command that runs in the namespaces of another process.
func enter(ctx context.Context, pid int, name string, args ...string) *exec.Cmd {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	// nsenter and env each become the next command; entering a mount namespace loses the directory.
	all := []string{"-t", strconv.Itoa(pid), "-m", "-n", "-u", "--", "env", "--chdir=" + dir, name}
	return exec.CommandContext(ctx, "nsenter", append(all, args...)...)
}

// Run runs a command inside the host and returns what it printed. The error has its complaint.
func (h *Host) Run(ctx context.Context, name string, args ...string) (string, error) {
	return output(h.Command(ctx, name, args...))
}

// output runs c and returns its output; the error says what it complained about.
func output(c *exec.Cmd) (string, error) {
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(said.String()))
	}
	return string(out), nil
}

// Path is where the host's absolute path p is seen from outside.
func (h *Host) Path(p string) string {
	return filepath.Join("/proc", strconv.Itoa(h.PID), "root", p)
}

// NetNS is the path of the host's network namespace, for netns.GetFromPath and the like.
func (h *Host) NetNS() string { return fmt.Sprintf("/proc/%d/ns/net", h.PID) }
