package qemuimg

import (
	"os"
	"os/exec"
	"syscall"
)

// isolate takes the network away from c, which needs root.
func isolate(c *exec.Cmd) {
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	}
}
