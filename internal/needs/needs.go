// Package needs lets a test say what it needs of the machine.
//
// A test whose need is not met is skipped, with the command that would meet it. Where the environment variable
// SF_REQUIRE (a comma list such as "root,libvirt,netlink,etcd,qemu,curl") names the need, the test fails instead: a
// continuous integration that lost its libvirt must not look green.
package needs

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Need is a word of SF_REQUIRE.
type Need string

// The needs that tests have.
const (
	Root    Need = "root"    // privileges to make namespaces, mounts and links
	Libvirt Need = "libvirt" // libvirtd, virtlogd and qemu
	Netlink Need = "netlink" // links, network namespaces, nftables, dnsmasq
	Etcd    Need = "etcd"    // an etcd server, embedded or not
	Qemu    Need = "qemu"    // qemu-img, and what builds and boots a guest image
	Curl    Need = "curl"    // curl, by which scripts speak to the API
)

// Required reports whether SF_REQUIRE names n, so that a test must not be skipped for want of it.
func Required(n Need) bool {
	return slices.Contains(strings.Split(os.Getenv("SF_REQUIRE"), ","), string(n))
}

// Missing ends the test because n is not met for the given reason: it skips it, or fails it where n is required.
func Missing(t testing.TB, n Need, reason error) {
	t.Helper()
	if Required(n) {
		t.Fatalf("SF_REQUIRE names %q, but %v", n, reason)
	}
	t.Skipf("needs %s: %v", n, reason)
}

// Tools ends the test unless it runs as root and every named command is installed.
func Tools(t testing.TB, n Need, commands ...string) {
	t.Helper()
	if err := CheckRoot(); err != nil {
		Missing(t, n, err)
	}
	if err := CheckCommands(commands...); err != nil {
		Missing(t, n, err)
	}
}

// CheckRoot says, as an error, that this process is not root.
func CheckRoot() error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("this is not root; run it as root, for example: sudo -E %s", strings.Join(os.Args, " "))
}

// CheckCommands says, as an error, which of the commands are not installed, and how to get them.
func CheckCommands(commands ...string) error {
	var missing []string
	for _, c := range commands {
		if _, err := exec.LookPath(c); err != nil {
			missing = append(missing, c)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("not installed: %s; run tools/setup to install what is missing", strings.Join(missing, ", "))
}
