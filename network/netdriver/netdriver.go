// Package netdriver is the contract of a network driver, the third of the three seams: the tenant networks of one
// node.
//
// A driver must pass netdrivertest.TestDriver. It is declarative: Ensure is told what a network shall be on this node
// and makes it exactly that, whatever was there before, without disturbing what is right already. Drivers touch only what they
// made: every object carries the network's name or mark. Every method is safe for concurrent use, and returns soon after its
// context ends.
//
// Errors are of these kinds: fault.Unavailable for a fault of the host that may pass, fault.Conflict when something that
// is not this network's has the name of something of this network, fault.Invalid when Network.Validate refuses what was
// asked, when it cannot be had on this node (an MTU above Info.MTU, peers on a node that is alone), or when the host lacks
// what is needed (it says what and how to get it), fault.Internal for anything else.
package netdriver

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Driver makes tenant networks on one node.
type Driver interface {
	// Info reports how this node takes part in the mesh.
	Info(ctx context.Context) (Info, error)

	// Ensure makes the network n on this node exactly what n says. Parts that n no longer has (its gateway, a peer, a
	// DHCP host) are removed; parts that are right already keep carrying traffic.
	Ensure(ctx context.Context, n Network) error

	// Remove removes everything of the network from this node. Removing one that is not there is success.
	Remove(ctx context.Context, n ID) error

	// List returns every network of ours of which any part exists on this node, ascending by UUID.
	List(ctx context.Context) ([]ID, error)
}

// Info is how a node takes part in the mesh.
type Info struct {
	MTU     int        // bytes; the largest a tenant network can have here: min(MAX_HYPERVISOR_MTU, mesh NIC) − 50
	MeshNIC string     // the interface that carries VXLAN; "" if this node is alone (loopback only)
	MeshIP  netip.Addr // its address; the zero Addr if this node is alone
}

// ID identifies a network on a host.
type ID struct {
	UUID  string // lower case
	VXLAN int    // VXLAN network identifier, 1 to 1<<24 − 1
}

// Bridge is the name of the bridge that the network's ports join on every host.
func (i ID) Bridge() string { return fmt.Sprintf("br-vxlan-%06x", i.VXLAN) }

// ParseBridge returns the VXLAN id of the network whose bridge has that name, and whether it is such a name.
func ParseBridge(name string) (vxlan int, ok bool) {
	digits, found := strings.CutPrefix(name, "br-vxlan-")
	id, err := strconv.ParseUint(digits, 16, 24)
	return int(id), found && err == nil && ID{VXLAN: int(id)}.Bridge() == name
}

// Link is the name of the VXLAN interface on every host.
func (i ID) Link() string { return fmt.Sprintf("vxlan-%06x", i.VXLAN) }

// Veth is the name of the outer ("o") or inner ("i") end of the pair that joins the bridge to the gateway's namespace.
func (i ID) Veth(end string) string { return fmt.Sprintf("veth-%06x-%s", i.VXLAN, end) }

// Network is what a tenant network shall be on one node.
type Network struct {
	ID
	MTU     int          // bytes, on every link and for every guest
	Peers   []netip.Addr // mesh addresses of the other nodes that take part; ascending, without duplicates
	Gateway *Gateway     // nil except on the node that holds the network's gateway
}

// Gateway is a network's own corner on the network node: a network namespace, named by the network's UUID, with the
// router's address.
type Gateway struct {
	Address netip.Prefix // the router's address in the network's block, such as 10.0.0.1/24
	DHCP    *DHCP        // nil if the network offers none
}

// DHCP is what a network's DHCP server offers.
type DHCP struct {
	Domain string       // DNS suffix for guests, such as "tenant.shakenfist"
	DNS    []netip.Addr // resolvers offered; may be empty
	Router netip.Addr   // default route offered; the zero Addr for none
	Hosts  []Host       // the only clients that get a lease
}

// Host is a DHCP client with its fixed address.
type Host struct {
	MAC     string // lower case, colons
	Address netip.Addr
	Name    string // a DNS label; "" for none
}
