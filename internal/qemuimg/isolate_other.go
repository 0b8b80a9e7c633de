//go:build unix && !linux

package qemuimg

import "os/exec"

// isolate does nothing on systems without network namespaces.
func isolate(*exec.Cmd) {}
