// Package demo_test runs the demo the way its users do, on a host of its own.
package demo_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/guestimage"
	"github.com/shakenfist/shakenfist/internal/hostdiff"
	"github.com/shakenfist/shakenfist/internal/needs"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

// demoHost is a fresh machine: no libvirtd, a network card with a default route, and a /dev/kvm if there is one.
func demoHost(t *testing.T) *pretendhost.Host {
	t.Helper()
	needs.Tools(t, needs.Libvirt, "libvirtd", "virtlogd", "virsh", "qemu-system-x86_64", "dnsmasq", "nft", "jq", "sysctl")
	_, err := os.Stat("/dev/kvm")
	h := pretendhost.Start(t, pretendhost.Options{
		Name: "demo", Address: netip.MustParsePrefix("10.90.0.1/24"), ShowKVM: err == nil,
	})
	_, err = h.Run(t.Context(), "ip", "route", "add", "default", "via", "10.90.0.254")
	require.NoError(t, err)
	return h
}

// script runs one of the demo's scripts on h, for at most a few minutes.
func script(t *testing.T, h *pretendhost.Host, name string) string {
	t.Helper()
	c := h.Command(t.Context(), "bash", name)
	c.Env = append(os.Environ(), "SF_DEMO_STATE="+filepath.Join(h.Dir, "demo"))
	c.WaitDelay = time.Second // daemons may keep the output open
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s:\n%s", name, out)
	t.Logf("%s:\n%s", name, out)
	return string(out)
}

func TestLibvirtOfTheDemoSeesNoKVM(t *testing.T) {
	t.Parallel()
	h := demoHost(t)
	script(t, h, "libvirt")
	out, err := h.Run(t.Context(), "virsh", "-c", "qemu:///system", "capabilities")
	require.NoError(t, err)
	require.Contains(t, out, "<domain type='qemu'")
	require.NotContains(t, out, "<domain type='kvm'")
	pid, err := h.LibvirtdPID()
	require.NoError(t, err)
	require.NotZero(t, pid)
	require.NoFileExists(t, filepath.Join("/proc", strconv.Itoa(pid), "root/dev/kvm"))
}

func TestDemoShowsAGuestAndLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the commands and boots a guest twice; run without -short")
	}
	t.Setenv("SF_DEMO_IMAGE", guestimage.Tiny(t)) // the host has no package mirror
	h := demoHost(t)

	// The first run ends in a crash of everything, and leaves the folders and the mount that libvirt and ip make once.
	changes := demo(t, h, true)
	require.Empty(t, slices.DeleteFunc(changes, func(c hostdiff.Change) bool {
		return strings.HasPrefix(c.Place, "libvirt ") || strings.HasPrefix(c.Line, "/run/netns tmpfs")
	}))
	require.Empty(t, demo(t, h, false))
	require.Contains(t, script(t, h, "stop"), "nothing to stop")
}

// demo runs the demo from start to stop on h and returns what differs on h from before.
func demo(t *testing.T, h *pretendhost.Host, crash bool) []hostdiff.Change {
	t.Helper()
	o := hostdiff.Options{Command: h.Command, PID: h.PID, OwnOnly: true}
	before, err := hostdiff.Take(t.Context(), o)
	require.NoError(t, err)
	out := script(t, h, "start")
	require.Regexp(t, `console: TINY-NET eth0 .* ip=10\.199\.0\.\d+/24 .* via=dhcp`, out)
	require.Contains(t, out, "console: TINY-READY demo")
	require.Contains(t, out, " 0% packet loss")
	if crash {
		require.NoError(t, h.Crash())
	}
	script(t, h, "stop")
	changes, err := hostdiff.Settle(t.Context(), before, o, 10*time.Second)
	require.NoError(t, err)
	return changes
}
