package hostdiff

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ip looks at the output of the ip command.
func ip(args ...string) look {
	return func(ctx context.Context, h host) ([]string, error) {
		lines, err := h.lines(ctx, "ip", args...)
		return steady(lines), err
	}
}

// countdown is what the kernel counts down to in its answers, and what it numbers as it likes.
var countdown = regexp.MustCompile(` (expires|used|age) \S+|handle \S+ | dynamic\b`)

// steady removes from the lines what changes by itself.
func steady(lines []string) []string {
	for i, line := range lines {
		lines[i] = strings.TrimSpace(countdown.ReplaceAllString(line, " "))
	}
	return lines
}

// links looks at the links of the host and of each of its named network namespaces.
func links(ctx context.Context, h host) ([]string, error) {
	lines, err := h.links(ctx, "")
	if err != nil {
		return nil, err
	}
	spaces, err := os.ReadDir(h.path("/run/netns"))
	if err != nil && !absent(err) {
		return nil, err
	}
	for _, s := range spaces {
		inner, err := h.links(ctx, s.Name())
		if err != nil {
			continue // it went meanwhile, or is only a file by that name, which another place shows
		}
		lines = append(lines, inner...)
	}
	return lines, nil
}

// links looks at the links of one network namespace; "" is the host's own.
func (h host) links(ctx context.Context, space string) ([]string, error) {
	args, where := []string{"-j", "-d", "link", "show"}, ""
	if space != "" {
		args, where = append([]string{"-n", space}, args...), " in "+space
	}
	out, err := h.run(ctx, "ip", args...)
	if err != nil {
		return nil, err
	}
	var found []struct {
		Name   string   `json:"ifname"`
		Master string   `json:"master"`
		MTU    int      `json:"mtu"`
		Flags  []string `json:"flags"`
		Info   struct {
			Kind string `json:"info_kind"`
		} `json:"linkinfo"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, fmt.Errorf("ip %s: %w", strings.Join(args, " "), err)
	}
	var lines []string
	for _, l := range found {
		line := fmt.Sprintf("%s%s kind=%s master=%s mtu=%d up=%t", l.Name, where, l.Info.Kind, l.Master, l.MTU,
			slices.Contains(l.Flags, "UP"))
		lines = append(lines, line)
	}
	return lines, nil
}

// addresses looks at the addresses of every link.
func addresses(ctx context.Context, h host) ([]string, error) {
	lines, err := h.lines(ctx, "ip", "-br", "address", "show")
	for i, line := range lines {
		// Name, state, addresses: the state of the link is not an address's.
		if f := strings.Fields(line); len(f) > 1 {
			lines[i] = strings.Join(append(f[:1], f[2:]...), " ")
		}
	}
	return lines, err
}

// forwarding looks at the entries that bridges and VXLAN links did not learn by themselves.
func forwarding(ctx context.Context, h host) ([]string, error) {
	lines, err := h.lines(ctx, "bridge", "fdb", "show")
	return slices.DeleteFunc(lines, func(s string) bool { return !strings.Contains(s, "permanent") }), err
}

// trafficControl looks at the queueing disciplines and filters of every link, without their numbers.
func trafficControl(ctx context.Context, h host) ([]string, error) {
	lines, err := h.lines(ctx, "tc", "qdisc", "show")
	return steady(lines), err
}

// tables looks at every rule of nftables, without its counters. The rules stay in their order: a line is "table/number".
func tables(ctx context.Context, h host) ([]string, error) {
	lines, err := h.lines(ctx, "nft", "-s", "list", "ruleset")
	if err != nil {
		return nil, err
	}
	table, n := "", 0
	for i, line := range lines {
		if strings.HasPrefix(line, "table ") {
			table, n = strings.TrimSuffix(line, " {"), 0
		}
		lines[i] = fmt.Sprintf("%s/%d: %s", table, n, line)
		n++
	}
	return lines, nil
}

// xtables looks at which tables of the older packet filters are in use.
func xtables(_ context.Context, h host) ([]string, error) {
	var lines []string
	for _, f := range []string{"ip_tables_names", "ip6_tables_names", "arp_tables_names"} {
		b, err := os.ReadFile(filepath.Join(h.proc("net"), f))
		if err != nil && !absent(err) {
			return nil, err
		}
		for _, line := range split(string(b)) {
			lines = append(lines, f+" "+line)
		}
	}
	return lines, nil
}

// listening looks at the addresses at which something listens.
func listening(ctx context.Context, h host) ([]string, error) {
	lines, err := h.lines(ctx, "ss", "-lntuH")
	for i, line := range lines {
		// Protocol, state, two queue lengths, local address.
		if f := strings.Fields(line); len(f) > 4 {
			lines[i] = f[0] + " " + f[4]
		}
	}
	return lines, err
}

// unixSockets looks at the names of the unix sockets at which something listens.
func unixSockets(_ context.Context, h host) ([]string, error) {
	f, err := os.Open(h.proc("net/unix"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	const acceptsConnections = "00010000" // __SO_ACCEPTCON in the kernel's net.h
	var lines []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		if field := strings.Fields(s.Text()); len(field) > 7 && field[3] == acceptsConnections {
			lines = append(lines, strings.Join(field[7:], " "))
		}
	}
	return lines, s.Err()
}
