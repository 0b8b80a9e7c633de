//go:build linux

package netlinknet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

const (
	stopWithin = 2 * time.Second // dnsmasq takes milliseconds; after that it is killed
	killWithin = 5 * time.Second
)

// process is a running dnsmasq of a network. Its descriptor names the process even after its number was given to another.
type process struct {
	fd       int
	pid      int
	cmdline  []string
	searched bool // it was found among all processes, so there may be another
}

func (p *process) close() {
	if p != nil {
		_ = unix.Close(p.fd)
	}
}

// signal sends the process a signal. One that has ended gives ESRCH.
func (p *process) signal(sig unix.Signal) error { return unix.PidfdSendSignal(p.fd, sig, nil, 0) }

// runs reports whether the process has exactly that command line and the network namespace with that inode.
func (p *process) runs(args []string, inode uint64) bool {
	var stat unix.Stat_t
	err := unix.Stat("/proc/"+strconv.Itoa(p.pid)+"/ns/net", &stat)
	return err == nil && stat.Ino == inode && slices.Equal(p.cmdline, args)
}

// findDHCP returns the network's dnsmasq; nil if none runs. The caller closes it. The pid file names it, unless somebody removed
// that; then every process is looked at. fresh says that nobody can have, because the network's folder was made just now.
func (d *Driver) findDHCP(ctx context.Context, id netdriver.ID, fresh bool) (*process, error) {
	p, err := d.namedDHCP(id)
	if p != nil || err != nil || fresh {
		return p, err
	}
	if d.has(id.UUID, "") {
		// A call may have been cut off while dnsmasq was starting: there is a pid file only at the end of that.
		lock, err := d.lockStart(ctx, id)
		if err != nil {
			return nil, err
		}
		_ = lock.Close()
		if p, err := d.namedDHCP(id); p != nil || err != nil {
			return p, err
		}
	}
	return d.searchDHCP(id)
}

// namedDHCP returns the network's dnsmasq as the pid file names it; nil if it does not, or if that has ended.
func (d *Driver) namedDHCP(id netdriver.ID) (*process, error) {
	content, err := d.read(id.UUID, filePID)
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(content))
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // none is an answer here
	}
	return d.openDHCP(id, pid)
}

// searchDHCP looks for the network's dnsmasq among all processes.
func (d *Driver) searchDHCP(id netdriver.ID) (*process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, d.failed("list", "processes", err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !slices.Contains(cmdlineOf(pid), d.pidArg(id.UUID)) {
			continue
		}
		p, err := d.openDHCP(id, pid)
		if err != nil {
			return nil, err
		}
		if p != nil {
			p.searched = true
			return p, nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer here
}

// openDHCP opens the process if it is the network's dnsmasq; nil if it is not, or has ended.
func (d *Driver) openDHCP(id netdriver.ID, pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if isErrno(err, unix.ESRCH, unix.EINVAL) {
		return nil, nil //nolint:nilnil // none is an answer here
	}
	if err != nil {
		return nil, d.failed("open process", strconv.Itoa(pid), err)
	}
	p := &process{fd: fd, pid: pid, cmdline: cmdlineOf(pid)} // read after the descriptor is open, so it is this process's
	if !slices.Contains(p.cmdline, d.pidArg(id.UUID)) {
		p.close()
		return nil, nil //nolint:nilnil // none is an answer here
	}
	return p, nil
}

// cmdlineOf returns the arguments of a process; none if it has ended, also if nobody waited for it yet.
func cmdlineOf(pid int) []string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// stop ends the network's dnsmasq p and waits until it has ended. Where the pid file names one it is the only one, because none is
// started while another one runs; one that had to be searched for may not be.
func (d *Driver) stop(ctx context.Context, id netdriver.ID, p *process) error {
	err := d.change(ctx, id, "stop", "dnsmasq of "+id.UUID, p.end)
	if err != nil || !p.searched {
		return err
	}
	other, err := d.searchDHCP(id)
	if other == nil || err != nil {
		return err
	}
	defer other.close()
	if other.pid == p.pid {
		return fault.New("netlinknet.stop", fault.Unavailable, id.UUID, "dnsmasq, process %d, does not end", p.pid)
	}
	return d.stop(ctx, id, other)
}

// end ends the process and waits for it.
func (p *process) end() error {
	for _, try := range []struct {
		signal unix.Signal
		within time.Duration
	}{{unix.SIGTERM, stopWithin}, {unix.SIGKILL, killWithin}} {
		if err := p.signal(try.signal); err != nil {
			if errors.Is(err, unix.ESRCH) {
				return nil
			}
			return err
		}
		if ended, err := p.wait(try.within); ended || err != nil {
			return err
		}
	}
	return &fs.PathError{Op: "end process", Path: strconv.Itoa(p.pid), Err: os.ErrDeadlineExceeded}
}

// wait waits for the process to end.
func (p *process) wait(within time.Duration) (ended bool, err error) {
	poll := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
	for deadline := time.Now().Add(within); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		n, err := unix.Poll(poll, int(left.Milliseconds())+1)
		if n > 0 {
			return true, nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, err
		}
	}
}
