package hostdiff

// Places returns every place that Take looks at.
func Places() []Place {
	return []Place{
		// Guests.
		{Name: "libvirt definitions", look: names("/etc/libvirt")},
		{Name: "libvirt running", look: names("/run/libvirt")},
		{Name: "libvirt state", look: names("/var/lib/libvirt")},
		{Name: "libvirt cache", look: names("/var/cache/libvirt", "/qemu/capabilities")},
		{Name: "libvirt logs", look: names("/var/log/libvirt")},
		{Name: "control groups", Shared: true, look: controlGroups},

		// Networks.
		{Name: "links", look: links},
		{Name: "addresses", look: addresses},
		{Name: "routes", look: ip("-4", "route", "show", "table", "all")},
		{Name: "routes of IPv6", look: ip("-6", "route", "show", "table", "all")},
		{Name: "routing rules", look: ip("-4", "rule", "show")},
		{Name: "routing rules of IPv6", look: ip("-6", "rule", "show")},
		{Name: "permanent neighbours", look: ip("neighbour", "show", "nud", "permanent")},
		{Name: "proxied neighbours", look: ip("neighbour", "show", "proxy")},
		{Name: "forwarding entries", look: forwarding},
		{Name: "traffic control", look: trafficControl},
		{Name: "tunnels", look: ip("tunnel", "show")},
		{Name: "transformations", look: ip("xfrm", "policy", "show")},
		{Name: "multicast routes", look: ip("mroute", "show", "table", "all")},
		{Name: "network namespaces", look: names("/run/netns")},
		{Name: "nft tables", look: tables},
		{Name: "xtables", look: xtables},
		{Name: "listening TCP and UDP sockets", look: listening},
		{Name: "listening unix sockets", look: unixSockets},
		{Name: "network settings", look: settings("/proc/sys/net/ipv4", "/proc/sys/net/ipv6", "/proc/sys/net/bridge",
			"/proc/sys/net/netfilter", "/proc/sys/net/core")},

		// Processes and what they hold.
		{Name: "processes", look: processes},
		{Name: "namespaces", look: namespaces},
		{Name: "runtime files", look: names("/run", "/libvirt", "/netns", "/systemd", "/udev", "/log", "/user", "/lock")},
		{Name: "lock files", look: names("/run/lock")},
		{Name: "shared memory", look: names("/dev/shm")},
		{Name: "System V memory", Shared: true, look: systemV("shm")},
		{Name: "System V semaphores", Shared: true, look: systemV("sem")},
		{Name: "mounts", look: mounts},

		// The kernel and devices.
		{Name: "devices", look: devices},
		{Name: "loop devices", Shared: true, look: attribute("/sys/block/loop*/loop/backing_file")},
		{Name: "network block devices", Shared: true, look: attribute("/sys/block/nbd*/pid")},
		{Name: "device mappings", Shared: true, look: attribute("/sys/block/dm-*/dm/name")},
		{Name: "kernel modules", Shared: true, look: modules},
		{Name: "kernel settings", Shared: true, look: settings("/proc/sys/vm/nr_hugepages", "/proc/sys/vm/overcommit_memory",
			"/proc/sys/vm/swappiness", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/fs/inotify",
			"/proc/sys/fs/aio-max-nr", "/proc/sys/fs/file-max", "/proc/sys/kernel/pid_max")},
		{Name: "host name", look: settings("/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname")},
		{Name: "memory merging", Shared: true, look: attribute("/sys/kernel/mm/ksm/run", "/sys/kernel/mm/ksm/sleep_millisecs",
			"/sys/kernel/mm/ksm/pages_to_scan", "/sys/kernel/mm/transparent_hugepage/enabled")},
		{Name: "swap", Shared: true, look: swap},

		// Files.
		{Name: "configuration", Shared: true, look: details("/etc", "/libvirt")},
		{Name: "scheduled jobs", Shared: true, look: details("/var/spool")},
		{Name: "state of programs", Shared: true, look: names1("/var/lib", "/srv", "/opt", "/var/cache", "/usr/local/bin")},
		{Name: "DHCP leases", Shared: true, look: details("/var/lib/misc")},
		{Name: "logs", Shared: true, look: names1("/var/log")},
		{Name: "temporary files", Shared: true, look: names1("/tmp", "/var/tmp")},
		{Name: "home", Shared: true, look: names1("/root", "/home")},
		{Name: "given folders", look: given},
	}
}
