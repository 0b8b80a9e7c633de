package pretendhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Processes returns the processes of the host apart from its first, ascending.
func (h *Host) Processes() ([]int, error) {
	// Guests and gateways get network and mount namespaces of their own, but nobody leaves the UTS namespace.
	own, err := os.Stat(fmt.Sprintf("/proc/%d/ns/uts", h.PID))
	if err != nil {
		return nil, fmt.Errorf("host %s is gone: %w", h.Name, err)
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/uts")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, link := range links {
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil || pid == h.PID {
			continue
		}
		if ns, err := os.Stat(link); err == nil && os.SameFile(ns, own) { // a process that just ended has none
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Crash ends every process of the host at once, as a power failure would: guests, daemons, everything. Links, tables
// and files stay, unlike with a power failure.
func (h *Host) Crash() error {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		pids, err := h.Processes()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := end(pid, unix.SIGKILL, patience); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("host %s: processes keep starting", h.Name)
}

// end sends a signal to a process and waits until it is gone.
func end(pid int, sig unix.Signal, wait time.Duration) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
	for deadline := time.Now().Add(wait); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("process %d has not ended %s after %s: %w", pid, wait, unix.SignalName(sig), context.DeadlineExceeded)
		}
		n, err := unix.Poll(poll, int(left.Milliseconds())+1)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
	}
}
