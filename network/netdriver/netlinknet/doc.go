// Package netlinknet makes tenant networks on Linux: VXLAN, bridges, network namespaces and dnsmasq.
//
// On every node that takes part, a network is
//
//   - br-vxlan-<id>, a bridge that the guests' NICs join: no spanning tree, nothing learned, so that it floods like a hub
//     and a guest that moves is reachable at once; IPv6 off, so that the host itself is no neighbour of tenants;
//   - vxlan-<id>, a port of the bridge that carries frames to the other nodes: one all-zero forwarding entry for each peer,
//     to which every frame is sent (head-end replication), nothing learned. Absent on a node that is alone: one
//     without a mesh interface;
//
// and on the node that holds its gateway also
//
//   - a network namespace /run/netns/<UUID>, so that "ip netns exec" works, with the router's address on veth-<id>-i,
//     whose other end veth-<id>-o is a port of the bridge. The router's MAC follows from the network's UUID, so that
//     guests keep their neighbour when the gateway moves to another node;
//   - a dnsmasq in that namespace, if the network offers DHCP. It outlives this process; the next one recognises it by its
//     pid file, its exact command line and its namespace, and leaves it alone when they are right;
//   - the folder networks/<UUID> of the state directory, with dnsmasq's files.
//
// The id is the VXLAN id in six hexadecimal digits. Every link, the loopback link of a namespace, and the folder bear a
// mark that names cloud, network and VXLAN id (ifalias of a link, file "id" of the folder). What lacks it is never
// changed, listed or removed; where it has the name of something of ours, Ensure fails with fault.Conflict.
//
// # Broken off anywhere
//
// Ensure compares what is with what should be, and changes only the difference, so any leftover of a call that was cut off is
// a start for the next. A link cannot be made and marked in one request: until it is marked it is known by its link group,
// which follows from the cloud's id; Open removes those that were never marked. The folder is made before, and removed
// after, everything else of a gateway.
//
// # DHCP
//
// Only hosts that are named get a lease. They stand in one file that dnsmasq reads again at SIGHUP; that takes no inotify
// instance, of which a user has 128 on most machines, and so allows more networks than that. SIGHUP suffices for hosts
// that were added. dnsmasq keeps serving a lease whose host is gone, and keeps its address from others; so when a host was
// removed or changed, dnsmasq is stopped, such leases are taken out of its file, and it is started again, which takes some
// milliseconds in which no established traffic needs it.
package netlinknet
