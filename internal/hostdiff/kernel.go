package hostdiff

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// restless are settings that the kernel changes by itself.
var restless = regexp.MustCompile(`/(nf_conntrack_count|stable_secret|tcp_fastopen_key|bpf_jit_.*|flush|mtu_expires|bpf_stats.*)$`)

// settings looks at the values of the kernel's settings in files and folders.
func settings(paths ...string) look {
	return func(ctx context.Context, h host) ([]string, error) {
		// The kernel shows whoever reads a network setting that of their own namespace, so it is read on the host. Some
		// can only be written, and grep complains of them by its exit code.
		out, err := h.Command(ctx, "grep", append([]string{"-rsH", ""}, paths...)...).Output()
		if len(out) == 0 && err != nil {
			return nil, fmt.Errorf("read %s: %w", strings.Join(paths, " "), err)
		}
		var lines []string
		for _, line := range split(string(out)) {
			file, value, _ := strings.Cut(line, ":")
			if !restless.MatchString(file) {
				lines = append(lines, file+" "+value)
			}
		}
		return lines, nil
	}
}

// processes looks at the command line of each process of the host's UTS namespace, apart from this one, those that
// wait for it and those it runs.
func processes(_ context.Context, h host) ([]string, error) {
	uts, err := os.Stat(h.proc("ns/uts"))
	if err != nil {
		return nil, err
	}
	own := ancestors(os.Getpid())
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || slices.Contains(own, pid) {
			continue
		}
		ns, err := os.Stat(dir + "/ns/uts")
		if err != nil || !os.SameFile(ns, uts) {
			continue // it ended meanwhile, or is another host's
		}
		command, err := os.ReadFile(dir + "/cmdline")
		if err != nil || len(command) == 0 {
			continue // it ended, or is the kernel's
		}
		lines = append(lines, strings.TrimSpace(string(bytes.ReplaceAll(command, []byte{0}, []byte{' '}))))
	}
	return lines, nil
}

// ancestors returns pid, the process that started it, and so on.
func ancestors(pid int) []int {
	var pids []int
	for pid > 0 {
		pids = append(pids, pid)
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			break
		}
		// The name, in parentheses, may hold anything; state and parent follow it.
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(fields) < 2 {
			break
		}
		if pid, err = strconv.Atoi(fields[1]); err != nil {
			break
		}
	}
	return pids
}

// namespaces counts the network and mount namespaces in which processes of the host's UTS namespace run.
func namespaces(_ context.Context, h host) ([]string, error) {
	uts, err := os.Stat(h.proc("ns/uts"))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, kind := range []string{"net", "mnt"} {
		seen := map[string]bool{}
		all, err := filepath.Glob("/proc/[0-9]*/ns/uts")
		if err != nil {
			return nil, err
		}
		for _, one := range all {
			if ns, err := os.Stat(one); err != nil || !os.SameFile(ns, uts) {
				continue
			}
			if id, err := os.Readlink(filepath.Join(filepath.Dir(one), kind)); err == nil {
				seen[id] = true
			}
		}
		lines = append(lines, fmt.Sprintf("%d of kind %s in use", len(seen), kind))
	}
	return lines, nil
}

// mounts looks at what is mounted where.
func mounts(_ context.Context, h host) ([]string, error) {
	b, err := os.ReadFile(h.proc("mountinfo"))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, line := range split(string(b)) {
		before, after, _ := strings.Cut(line, " - ")
		at, what := strings.Fields(before), strings.Fields(after)
		if len(at) < 6 || len(what) < 2 {
			return nil, fmt.Errorf("mountinfo line of an unknown form: %s", line)
		}
		lines = append(lines, fmt.Sprintf("%s %s of %s from %s", at[4], what[0], what[1], at[3]))
	}
	return lines, nil
}

// controlGroups looks at the control groups of guests. Groups without one in their path are those of the system.
func controlGroups(_ context.Context, h host) ([]string, error) {
	lines, err := h.walk("/sys/fs/cgroup", nil, func(path string, info fs.FileInfo) string {
		if info.IsDir() && (strings.Contains(path, "machine") || strings.Contains(path, "qemu") || strings.Contains(path, "libvirt")) {
			return path
		}
		return ""
	})
	return slices.DeleteFunc(lines, func(s string) bool { return s == "" }), err
}

// systemV looks at System V objects of a kind: how many there are of each key and owner.
func systemV(kind string) look {
	return func(context.Context, host) ([]string, error) {
		b, err := os.ReadFile("/proc/sysvipc/" + kind)
		if err != nil {
			return nil, err
		}
		var lines []string
		for i, line := range split(string(b)) {
			if f := strings.Fields(line); i > 0 && len(f) > 2 {
				lines = append(lines, strings.Join(f[:3], " ")) // key, number, permissions
			}
		}
		return lines, nil
	}
}

// modules looks at the names of the loaded modules.
func modules(context.Context, host) ([]string, error) {
	f, err := os.Open("/proc/modules")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var lines []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		name, _, _ := strings.Cut(s.Text(), " ")
		lines = append(lines, name)
	}
	return lines, s.Err()
}

// swap looks at the files and devices swapped to.
func swap(context.Context, host) ([]string, error) {
	b, err := os.ReadFile("/proc/swaps")
	if err != nil {
		return nil, err
	}
	var lines []string
	for i, line := range split(string(b)) {
		if i > 0 {
			name, _, _ := strings.Cut(line, " ")
			lines = append(lines, name)
		}
	}
	return lines, nil
}
