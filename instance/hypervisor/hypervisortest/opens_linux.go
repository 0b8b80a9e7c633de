package hypervisortest

import (
	"errors"
	"syscall"
	"testing"
)

// watchOpens asks the kernel to note whoever opens path from now on. What it returns reports whether anybody did.
func watchOpens(t *testing.T, path string) func() bool {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	must(t, err)
	t.Cleanup(func() {
		if err := syscall.Close(fd); err != nil {
			t.Error(err)
		}
	})
	_, err = syscall.InotifyAddWatch(fd, path, syscall.IN_OPEN|syscall.IN_ACCESS)
	must(t, err)
	return func() bool {
		n, err := syscall.Read(fd, make([]byte, 4096))
		return n > 0 || !errors.Is(err, syscall.EAGAIN)
	}
}
