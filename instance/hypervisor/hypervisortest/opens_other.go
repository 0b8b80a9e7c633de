//go:build !linux

package hypervisortest

import "testing"

// watchOpens cannot note who opens a file on this system; what was made of the file is still checked.
func watchOpens(*testing.T, string) func() bool { return func() bool { return false } }
