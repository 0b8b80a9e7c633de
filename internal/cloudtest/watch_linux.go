package cloudtest

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Canary makes a file below dir whose opening the kernel notes, whoever opens it. What opened returns reports whether anybody
// did.
func Canary(t testing.TB, dir string) (path string, opened func() bool) {
	t.Helper()
	path = filepath.Join(dir, "canary")
	require.NoError(t, os.WriteFile(path, []byte("what only this host may read\n"), 0o600))
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Close(fd)) })
	_, err = syscall.InotifyAddWatch(fd, path, syscall.IN_OPEN|syscall.IN_ACCESS)
	require.NoError(t, err)
	return path, func() bool {
		n, err := syscall.Read(fd, make([]byte, 4096))
		return n > 0 || !errors.Is(err, syscall.EAGAIN)
	}
}
