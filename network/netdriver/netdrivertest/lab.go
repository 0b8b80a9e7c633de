// Package netdrivertest is the conformance suite of network drivers: what every driver promises, beyond what Go's types
// say.
//
// TestDriver needs a Lab, two hosts joined by a mesh, which the driver's own test provides. For a simulation it is a few
// lines; for a real driver it is namespaces, real frames and a real DHCP client.
package netdrivertest

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/shakenfist/shakenfist/network/netdriver"
)

// Lab is two hosts, numbered 0 and 1, that reach each other over a mesh and carry no tenant network yet. Whatever it made is
// gone when the test has ended. A method that cannot do what it says fails the test.
type Lab interface {
	// Driver returns the driver of that host: the same one until Reopen.
	Driver(host int) netdriver.Driver

	// Reopen gives the host a new driver, as a restart of the daemon does. What the old one made stays.
	Reopen(t testing.TB, host int) netdriver.Driver

	// Plug joins a guest's NIC to the network's bridge on that host.
	Plug(t testing.TB, host int, n netdriver.Network, mac string) Port

	// Inventory lists everything on the host that a driver could have made or changed, a line each, in a fixed order. Lines
	// carry identities (link indexes, process ids) as "#" and digits, so that something made anew looks different. Ports of
	// Plug are not in it.
	Inventory(t testing.TB, host int) []string

	// Damages names what Damage can break.
	Damages() []string

	// Damage breaks one part of the network on that host by hand. The network has a gateway with DHCP there and a peer.
	Damage(t testing.TB, host int, id netdriver.ID, damage string)

	// Squat puts something that is not ours where the network would have its own.
	Squat(t testing.TB, host int, id netdriver.ID)
}

// Port is a guest's NIC.
type Port interface {
	// DHCP asks for a lease and takes its address. It reports false when nobody answers.
	DHCP(t testing.TB) (Lease, bool)

	// Take gives the NIC a fixed address instead.
	Take(t testing.TB, a netip.Prefix)

	// Ping reports whether an IP packet of that size in bytes, which no one may fragment, reaches the address and is
	// answered within half a second.
	Ping(t testing.TB, to netip.Addr, size int) bool

	// Close unplugs the NIC.
	Close()
}

// Lease is what DHCP gives.
type Lease struct {
	Address netip.Prefix
	Router  netip.Addr // the zero Addr for none
	DNS     []netip.Addr
	Domain  string
	Name    string // host name; "" for none
	MTU     int    // bytes
}

// Ping sizes, in bytes of the IP packet.
const small = 84

// mac returns a MAC by number.
func mac(i uint8) string { return fmt.Sprintf("02:00:00:00:00:%02x", i) }

// addr returns the address number i of the block that tests use, 10.7.0.0/24.
func addr(i uint8) netip.Addr { return netip.AddrFrom4([4]byte{10, 7, 0, i}) }

// id returns the identity of a network by number.
func id(i int) netdriver.ID {
	return netdriver.ID{UUID: fmt.Sprintf("7f3c2a10-0000-4000-8000-%012x", i), VXLAN: 0x5f000 + i}
}
