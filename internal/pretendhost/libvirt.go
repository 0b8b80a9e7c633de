package pretendhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// startLibvirt starts the daemon that keeps guests' logs, and libvirtd.
func (h *Host) startLibvirt(ctx context.Context) error {
	if err := h.daemon(ctx, "virtlogd"); err != nil {
		return err
	}
	return h.StartLibvirtd(ctx)
}

// daemon starts a daemon that returns when it is ready.
func (h *Host) daemon(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// Output goes nowhere, because the daemon would keep a pipe open; complaints are in its log.
	if err := h.Command(ctx, name, "-d").Run(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return nil
}

// StartLibvirtd starts libvirtd and returns when it answers. It fails if one runs already.
func (h *Host) StartLibvirtd(ctx context.Context) error { return h.daemon(ctx, "libvirtd") }

// StopLibvirtd ends libvirtd in an orderly way. Guests go on. Stopping one that does not run is success.
func (h *Host) StopLibvirtd() error { return h.endLibvirtd(unix.SIGTERM) }

// KillLibvirtd ends libvirtd as a crash would. Guests go on. Killing one that does not run is success.
func (h *Host) KillLibvirtd() error { return h.endLibvirtd(unix.SIGKILL) }

// RestartLibvirtd stops libvirtd and starts it again.
func (h *Host) RestartLibvirtd(ctx context.Context) error {
	if err := h.StopLibvirtd(); err != nil {
		return err
	}
	return h.StartLibvirtd(ctx)
}

// endLibvirtd sends libvirtd a signal and waits until it is gone.
func (h *Host) endLibvirtd(sig unix.Signal) error {
	pid, err := h.LibvirtdPID()
	if err != nil || pid == 0 {
		return err
	}
	return end(pid, sig, patience)
}

// LibvirtdPID is the process of the host's libvirtd; 0 if there is none.
func (h *Host) LibvirtdPID() (int, error) {
	b, err := os.ReadFile(h.Path("/run/libvirtd.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("pid file of libvirtd: %w", err)
	}
	// A killed libvirtd leaves its pid file, and the number may be another process's by now.
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || !strings.HasSuffix(exe, "/libvirtd") {
		return 0, nil
	}
	return pid, nil
}

// LibvirtLog is what libvirtd wrote to its log: warnings and errors, and what its first lines say of the host.
func (h *Host) LibvirtLog() string {
	b, err := os.ReadFile(h.Dir + "/var/log/libvirt/libvirtd.log")
	if err != nil {
		return err.Error()
	}
	return string(b)
}
