package pretendhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/shakenfist/shakenfist/internal/needs"
)

// What Main tells the test binary that it runs.
const (
	insideVariable  = "SF_PRETENDHOST_DIR"     // the host's folder, if it runs inside one
	outsideVariable = "SF_PRETENDHOST_OUTSIDE" // a process outside, if it runs inside
	missingVariable = "SF_PRETENDHOST_MISSING" // why it does not run inside
)

// Main is the TestMain of a package whose tests run inside a host: it makes the host, runs the test binary again inside
// it with the same arguments, and exits with its code.
//
//	func TestMain(m *testing.M) { pretendhost.Main(m, pretendhost.Options{Libvirt: true}) }
//
// Where a host cannot be made the tests run outside; those that need the host begin with Inside, which skips them.
// Main does not return.
func Main(m *testing.M, o Options) {
	if os.Getenv(insideVariable) != "" {
		os.Exit(m.Run())
	}
	if n, err := check(o); err != nil {
		if needs.Required(n) {
			fmt.Fprintf(os.Stderr, "SF_REQUIRE names %q, but %v\n", n, err)
			os.Exit(1)
		}
		if err := os.Setenv(missingVariable, err.Error()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(m.Run())
	}
	code, err := again(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Inside returns the folder of the host that the test runs in, see Host.Dir. It skips the test when Main could not
// make the host.
func Inside(t testing.TB) (dir string) {
	t.Helper()
	dir = os.Getenv(insideVariable)
	if dir == "" {
		reason := os.Getenv(missingVariable)
		if reason == "" {
			reason = "the package's TestMain must call pretendhost.Main"
		}
		t.Skipf("needs a pretend host: %s", reason)
	}
	return dir
}

// Outside returns the command that runs on the machine itself, from inside a host that Main made as well as from
// outside one: for what a host cannot do, such as fetching a package.
func Outside(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	outside := os.Getenv(outsideVariable)
	if outside == "" {
		return exec.CommandContext(ctx, name, args...), nil
	}
	pid, err := strconv.Atoi(outside)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", outsideVariable, err)
	}
	return enter(ctx, pid, name, args...), nil
}

// again runs this program once more inside a host of its own and returns its exit code.
func again(o Options) (int, error) {
	// The terminal signals the inner program too, which then ends by itself; the host must outlive it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := New(ctx, o)
	if err != nil {
		return 1, err
	}
	self, err := os.Executable()
	if err != nil {
		return 1, errors.Join(err, h.Close())
	}
	c := h.Command(ctx, self, os.Args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), insideVariable+"="+h.Dir, outsideVariable+"="+strconv.Itoa(os.Getpid()))
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	err = c.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		err = nil // it has said why
	}
	if c.ProcessState != nil && !c.ProcessState.Success() && o.Libvirt {
		fmt.Fprintf(os.Stderr, "libvirtd of host %s:\n%s", h.Name, h.LibvirtLog())
	}
	code := 1
	if c.ProcessState != nil && c.ProcessState.Exited() {
		code = c.ProcessState.ExitCode()
	}
	return code, errors.Join(err, h.Close())
}
