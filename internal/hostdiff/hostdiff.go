// Package hostdiff tells what changed on a host: it takes a snapshot of every place where a cloud could leave something
// behind (Places lists them by name), and compares two.
//
// A snapshot holds lines of text, sorted, for each place, with nothing in them that changes by itself: no counters, no
// process or interface numbers. So an operation that says it leaves nothing can be held to it:
//
//	before, err := hostdiff.Take(ctx, hostdiff.Options{})
//	…
//	changes, err := hostdiff.Settle(ctx, before, hostdiff.Options{}, 5*time.Second)
package hostdiff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options says which host to look at, and what to leave out. The zero value is the host this process runs on.
type Options struct {
	// Command makes a command that runs on the host; nil means here. For a pretend host it is its Command method.
	Command func(ctx context.Context, name string, args ...string) *exec.Cmd

	// PID is a process whose network, mount and UTS namespaces are the host's; 0 means this one.
	PID int

	// Dirs are folders that are looked at all the way down, with sizes and times: the state of a daemon, for example.
	Dirs []string

	// Ignore names places not to look at.
	Ignore []string

	// OwnOnly leaves out the places that pretend hosts share with their machine (Place.Shared): other tests work there.
	OwnOnly bool
}

// Snapshot is what was found, by the name of the place.
type Snapshot map[string][]string

// Change is a line that only one of two snapshots has.
type Change struct {
	Place string // the name of the place
	Line  string // what is there, or was
	Added bool   // true if only the later snapshot has it
}

// String is the change as a line: "+ links: br0 bridge".
func (c Change) String() string {
	sign := "-"
	if c.Added {
		sign = "+"
	}
	return fmt.Sprintf("%s %s: %s", sign, c.Place, c.Line)
}

// Place is somewhere on a host where something could be left behind.
type Place struct {
	Name   string // unique, lower case, such as "network namespaces"
	Shared bool   // pretend hosts share it with their machine
	look   func(context.Context, host) ([]string, error)
}

// Take looks at every place that o does not leave out. A tool or file that the host lacks is an empty place.
func Take(ctx context.Context, o Options) (Snapshot, error) {
	h := newHost(o)
	s := Snapshot{}
	for _, p := range Places() {
		if (o.OwnOnly && p.Shared) || slices.Contains(o.Ignore, p.Name) {
			continue
		}
		lines, err := p.look(ctx, h)
		if err != nil && !absent(err) {
			return nil, fmt.Errorf("look at %s: %w", p.Name, err)
		}
		slices.Sort(lines)
		s[p.Name] = lines
	}
	return s, nil
}

// absent reports whether err says that what was looked for is not there at all.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound)
}

// Compare returns what changed from before to after, in the order of Places; nil if nothing did. Places that only one of
// the two looked at are not compared.
func Compare(before, after Snapshot) []Change {
	var changes []Change
	for _, p := range Places() {
		b, looked := before[p.Name]
		a, looks := after[p.Name]
		if looked && looks {
			changes = append(changes, compare(p.Name, b, a)...)
		}
	}
	return changes
}

// compare is Compare of one place. A line may be there several times; each time counts.
func compare(place string, before, after []string) []Change {
	count := map[string]int{}
	for _, line := range after {
		count[line]++
	}
	for _, line := range before {
		count[line]--
	}
	var changes []Change
	for line, n := range count {
		for range max(n, -n) {
			changes = append(changes, Change{Place: place, Line: line, Added: n > 0})
		}
	}
	slices.SortFunc(changes, func(x, y Change) int { return strings.Compare(x.Line, y.Line) })
	return changes
}

// Settle takes snapshots until one equals before, for at most wait, and returns what differs still: processes take a
// moment to end, and the kernel a moment to free what they held.
func Settle(ctx context.Context, before Snapshot, o Options, wait time.Duration) ([]Change, error) {
	deadline := time.Now().Add(wait)
	for {
		after, err := Take(ctx, o)
		if err != nil {
			return nil, err
		}
		changes := Compare(before, after)
		if len(changes) == 0 || time.Now().After(deadline) {
			return changes, nil
		}
		select {
		case <-ctx.Done():
			return changes, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// host is the host being looked at.
type host struct {
	Options
}

func newHost(o Options) host {
	if o.Command == nil {
		o.Command = exec.CommandContext
	}
	if o.PID == 0 {
		o.PID = os.Getpid()
	}
	return host{o}
}

// proc is the path of a file about the host's process, and so about its namespaces.
func (h host) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(h.PID), file)
}

// path is where the host's absolute path p is seen from here.
func (h host) path(p string) string { return h.proc("root" + p) }

// run returns the output of a command on the host.
func (h host) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	var said bytes.Buffer
	c := h.Command(ctx, name, args...)
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return out, nil
}

// lines returns the non-empty lines of a command's output on the host.
func (h host) lines(ctx context.Context, name string, args ...string) ([]string, error) {
	if _, err := exec.LookPath(name); err != nil {
		return nil, err
	}
	out, err := h.run(ctx, name, args...)
	if err != nil {
		return nil, err
	}
	return split(string(out)), nil
}

// split returns the non-empty lines of s, each with its white space in order.
func split(s string) []string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
