//go:build linux

package netlinknet

import (
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/fault"
)

// space is a network namespace with a netlink socket in it. It is safe for concurrent use.
type space struct {
	*netlink.Handle
	file  *os.File // the namespace itself
	inode uint64   // identifies it while file is open
}

// openSpace opens the network namespace at a path.
func openSpace(path string) (*space, error) {
	const op = "netlinknet.openSpace"
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Because(op, fault.Unavailable, "", err, "cannot open a network namespace")
	}
	s := &space{file: f}
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		s.close()
		return nil, fault.Because(op, fault.Internal, "", err, "cannot look at network namespace %s", path)
	}
	s.inode = stat.Ino
	if s.Handle, err = netlink.NewHandleAt(netns.NsHandle(f.Fd()), unix.NETLINK_ROUTE); err != nil {
		s.close()
		return nil, fault.Because(op, fault.Unavailable, "", err, "cannot open a netlink socket in network namespace %s", path)
	}
	return s, nil
}

func (s *space) close() {
	if s.Handle != nil {
		s.Close()
	}
	_ = s.file.Close()
}

// link returns the link by that name, or nil if there is none.
func (s *space) link(name string) (netlink.Link, error) {
	l, err := s.LinkByName(name)
	if absent(err) {
		return nil, nil //nolint:nilnil // none is an answer here
	}
	if err != nil {
		return nil, fault.Because("netlinknet.link", fault.Unavailable, "", err, "cannot look at link %s", name)
	}
	return l, nil
}

// do runs f on a thread that is in the namespace. Processes that f starts are in it, and stay.
func (s *space) do(f func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

// onOwnThread runs f on a thread that ends after it, so that f may move it to other namespaces.
func onOwnThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		// Never unlocked: the runtime ends the thread with the goroutine.
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The first thread cannot end, and /proc/self shows its namespaces. While it is locked here, another
			// goroutine must be on another thread.
			result <- onOwnThread(f)
			runtime.UnlockOSThread()
			return
		}
		result <- f()
	}()
	return <-result
}
