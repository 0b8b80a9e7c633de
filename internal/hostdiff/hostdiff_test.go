package hostdiff_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shakenfist/shakenfist/internal/hostdiff"
	"github.com/shakenfist/shakenfist/internal/needs"
	"github.com/shakenfist/shakenfist/internal/pretendhost"
)

func TestPlacesAreManyAndNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	own := 0
	for _, p := range hostdiff.Places() {
		require.False(t, seen[p.Name], "two places are called %q", p.Name)
		seen[p.Name] = true
		if !p.Shared {
			own++
		}
	}
	require.GreaterOrEqual(t, len(seen), 45)
	require.GreaterOrEqual(t, own, 30, "places that a pretend host has for itself")
}

func TestCompareCountsLines(t *testing.T) {
	t.Parallel()
	before := hostdiff.Snapshot{"processes": {"sh", "sleep 1", "sleep 1"}, "links": {"lo"}, "mounts": {"/"}}
	after := hostdiff.Snapshot{"processes": {"dnsmasq", "sh", "sleep 1"}, "links": {"lo"}}
	var got []string
	for _, c := range hostdiff.Compare(before, after) {
		got = append(got, c.String())
	}
	require.Equal(t, []string{"+ processes: dnsmasq", "- processes: sleep 1"}, got)
	require.Empty(t, hostdiff.Compare(before, before))
}

// traces leaves something in a place, by the place's name; cleanUp removes it all.
var traces = map[string]string{
	"addresses":                     "ip address add 192.0.2.1/24 dev eth0 noprefixroute",
	"devices":                       "chmod 600 /dev/full",
	"forwarding entries":            "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.90.0.9 self permanent",
	"given folders":                 "echo x >$DIR/given/file",
	"libvirt cache":                 "touch /var/cache/libvirt/x",
	"libvirt definitions":           "touch /etc/libvirt/qemu/x.xml",
	"libvirt logs":                  "touch /var/log/libvirt/x.log",
	"libvirt running":               "touch /run/libvirt/x.xml",
	"libvirt state":                 "touch /var/lib/libvirt/x.img",
	"links":                         "ip link add br-x type bridge",
	"lock files":                    "touch /run/lock/x",
	"mounts":                        "mount -t tmpfs none /mnt",
	"network namespaces":            "ip netns add left",
	"network settings":              "echo 1 >/proc/sys/net/ipv4/conf/all/forwarding",
	"nft tables":                    "nft add table ip left",
	"permanent neighbours":          "ip neighbour add 10.90.0.7 lladdr 02:00:00:00:00:07 dev eth0 nud permanent",
	"processes":                     "setsid sleep 4711 >/dev/null 2>&1 &",
	"proxied neighbours":            "ip neighbour add proxy 10.90.0.8 dev eth0",
	"routes":                        "ip route add blackhole 198.51.100.0/24",
	"routes of IPv6":                "ip -6 route add blackhole 2001:db8::/64",
	"routing rules":                 "ip rule add priority 77 table 77",
	"routing rules of IPv6":         "ip -6 rule add priority 77 table 77",
	"runtime files":                 "touch /run/x.pid",
	"shared memory":                 "touch /dev/shm/x",
	"traffic control":               "tc qdisc add dev eth0 root tbf rate 1mbit burst 32kbit latency 400ms",
	"host name":                     "hostname other",
	"listening TCP and UDP sockets": "ip link add vx1 type vxlan id 8 dstport 4790 dev eth0; ip link set vx1 up",
	"namespaces":                    "setsid unshare -n sleep 4712 >/dev/null 2>&1 &",
}

var cleanUp = []string{
	"pkill -9 --nslist uts --ns $$ sleep",
	"hostname host",
	"ip link del vx1",
	"ip address del 192.0.2.1/24 dev eth0",
	"chmod 666 /dev/full",
	"bridge fdb del 00:00:00:00:00:00 dev vx0 dst 10.90.0.9",
	"rm $DIR/given/file /var/cache/libvirt/x /etc/libvirt/qemu/x.xml /var/log/libvirt/x.log /run/libvirt/x.xml",
	"rm /var/lib/libvirt/x.img /run/lock/x /run/x.pid /dev/shm/x",
	"ip link del br-x",
	"umount /mnt",
	"ip netns del left",
	"echo 0 >/proc/sys/net/ipv4/conf/all/forwarding",
	"nft delete table ip left",
	"ip neighbour del 10.90.0.7 dev eth0",
	"ip neighbour del proxy 10.90.0.8 dev eth0",
	"ip route del blackhole 198.51.100.0/24",
	"ip -6 route del blackhole 2001:db8::/64",
	"ip rule del priority 77",
	"ip -6 rule del priority 77",
	"tc qdisc del dev eth0 root",
}

func TestEveryTraceIsSeenAndItsRemovalToo(t *testing.T) {
	t.Parallel()
	needs.Tools(t, needs.Netlink, "ip", "bridge", "tc", "nft", "ss", "pkill")
	h := pretendhost.Start(t, pretendhost.Options{Address: netip.MustParsePrefix("10.90.0.1/24")})
	sh := func(script string) {
		t.Helper()
		c := h.Command(t.Context(), "sh", "-ec", script)
		c.Env = append(os.Environ(), "DIR="+h.Dir)
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s: %s", script, out)
	}
	require.NoError(t, os.Mkdir(filepath.Join(h.Dir, "given"), 0o755))
	sh("mkdir -p /etc/libvirt/qemu; ip link add vx0 type vxlan id 7 dstport 4789 dev eth0; ip link set vx0 up; ip rule")
	sh("ip netns add first; ip netns del first; nft list ruleset") // the first of a kind makes folders that stay

	o := hostdiff.Options{
		Command: h.Command, PID: h.PID, OwnOnly: true,
		Dirs: []string{filepath.Join(h.Dir, "given")},
	}
	before, err := hostdiff.Take(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, settle(t, before, o), "a host at rest does not change")

	for _, script := range traces {
		sh(script)
	}
	after, err := hostdiff.Take(t.Context(), o)
	require.NoError(t, err)
	changed := map[string]bool{}
	for _, c := range hostdiff.Compare(before, after) {
		changed[c.Place] = true
	}
	for place, script := range traces {
		require.True(t, changed[place], "nothing seen in %q after: %s", place, script)
	}

	sh(strings.Join(cleanUp, "\n"))
	require.Empty(t, settle(t, before, o))
}

func settle(t *testing.T, before hostdiff.Snapshot, o hostdiff.Options) []hostdiff.Change {
	t.Helper()
	changes, err := hostdiff.Settle(t.Context(), before, o, 10*time.Second)
	require.NoError(t, err)
	return changes
}

func TestSnapshotOfTheMachineSurvivesJSON(t *testing.T) {
	t.Parallel()
	s, err := hostdiff.Take(t.Context(), hostdiff.Options{Ignore: []string{"configuration"}})
	require.NoError(t, err)
	require.NotContains(t, s, "configuration")
	require.NotEmpty(t, s["mounts"])
	b, err := json.Marshal(s)
	require.NoError(t, err)
	var back hostdiff.Snapshot
	require.NoError(t, json.Unmarshal(b, &back))
	require.Empty(t, hostdiff.Compare(s, back))
}
