//go:build linux

package qemuimg

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// What one call may use at most. Address space covers qemu-img's caches and its libraries several times.
const (
	maxAddressSpace = 4 << 30  // bytes
	maxFiles        = 256      // open at once; a chain takes a few for each image
	minRate         = 16 << 20 // bytes of virtual size for each second of processor time, beyond the first hour
	firstCPU        = 3600     // seconds
)

// wrappers returns the programs that limit what runs after them, as far as they are installed: limits, then a low
// priority for processors and disks. No file becomes larger than an image of size bytes, its tables, and some room.
func wrappers(size int64) []string {
	file := size + size/256 + 64<<20
	var argv []string
	for _, w := range [][]string{
		{
			"prlimit", "--core=0", fmt.Sprintf("--cpu=%d", firstCPU+size/minRate), fmt.Sprintf("--as=%d", int64(maxAddressSpace)),
			fmt.Sprintf("--fsize=%d", file), fmt.Sprintf("--nofile=%d", maxFiles),
		},
		{"nice", "-n", "10"},
		{"ionice", "-t", "-c", "2", "-n", "7"},
	} {
		if _, err := exec.LookPath(w[0]); err == nil {
			argv = append(argv, w...)
		}
	}
	return argv
}

// isolated returns how a process is started that has no network (which needs root), is a group of its own, and is killed
// when the thread that started it ends.
func isolated() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		a.Cloneflags = syscall.CLONE_NEWNET
	}
	return a
}
