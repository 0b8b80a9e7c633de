package pretendhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shakenfist/shakenfist/internal/needs"
)

// Lab is the cable room: a bridge in a network namespace of its own, to which hosts are plugged.
type Lab struct {
	holder *exec.Cmd
	alive  io.Closer
}

// NewLab makes a lab that lasts as long as the test.
func NewLab(t testing.TB) *Lab {
	t.Helper()
	if n, err := check(Options{}); err != nil {
		needs.Missing(t, n, err)
	}
	l, err := OpenLab(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// OpenLab makes a lab that lasts until Close, or until this process ends in any way.
func OpenLab(ctx context.Context) (*Lab, error) {
	l := &Lab{}
	l.holder = exec.Command("sh", "-c", "echo ready; exec cat >/dev/null") //nolint:noctx // ends with its input
	var err error
	if l.alive, err = hold(l.holder, syscall.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "lab", "type", "bridge"},
		{"link", "set", "lab", "up"},
	} {
		if err := l.ip(ctx, args...); err != nil {
			return nil, errors.Join(fmt.Errorf("lab: %w", err), l.Close())
		}
	}
	return l, nil
}

// Close unplugs every host and removes the lab. Closing twice is success.
func (l *Lab) Close() error {
	if l.alive == nil {
		return nil
	}
	err := errors.Join(l.alive.Close(), l.holder.Wait())
	l.alive = nil
	return err
}

// Command returns the command that runs in the lab's network namespace and otherwise on the machine.
func (l *Lab) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", l.pid(), "-n", "--", name}, args...)...)
}

// Cut pulls the cable of h: it reaches no other host, though its own end stays.
func (l *Lab) Cut(ctx context.Context, h *Host) error {
	return l.ip(ctx, "link", "set", port(h), "down")
}

// Mend plugs h in again after Cut, and returns when frames pass.
func (l *Lab) Mend(ctx context.Context, h *Host) error {
	if err := l.ip(ctx, "link", "set", port(h), "up"); err != nil {
		return err
	}
	// The kernel tells both ends of a carrier in its own time, up to a second later.
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		far, err := output(l.Command(ctx, "bridge", "link", "show", "dev", port(h)))
		if err != nil {
			return err
		}
		near, err := h.Run(ctx, "ip", "link", "show", "eth0")
		if err != nil {
			return err
		}
		if strings.Contains(far, "state forwarding") && strings.Contains(near, "state UP") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no carrier between the lab and host %s: %w", h.Name, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (l *Lab) pid() string { return strconv.Itoa(l.holder.Process.Pid) }

func (l *Lab) ip(ctx context.Context, args ...string) error {
	_, err := output(l.Command(ctx, "ip", args...))
	return err
}

// port is the name of the lab's end of the cable of h. The process number makes it unique and short enough.
func port(h *Host) string { return fmt.Sprintf("port-%d", h.PID) }

// join plugs the host in, if it is to have a network.
func (h *Host) join(ctx context.Context) error {
	if !h.opts.Address.IsValid() {
		return nil
	}
	if h.opts.Lab == nil {
		lab, err := OpenLab(ctx)
		if err != nil {
			return err
		}
		h.opts.Lab, h.ownLab = lab, true
	}
	lab := h.opts.Lab
	if err := lab.ip(ctx, "link", "add", port(h), "master", "lab", "type", "veth",
		"peer", "name", "eth0", "netns", strconv.Itoa(h.PID)); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"address", "add", h.opts.Address.String(), "dev", "eth0"},
		{"link", "set", "eth0", "up"},
	} {
		if _, err := h.Run(ctx, "ip", args...); err != nil {
			return err
		}
	}
	return lab.Mend(ctx, h)
}
