package machine

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/shakenfist/shakenfist/fault"
)

// Process is what one process has used since it began.
type Process struct {
	Name    string        // unique among those that were read together: letters, digits, hyphens, dots, underscores
	CPUTime time.Duration // of all its threads
	Age     time.Duration
}

// ticks is how many units of the kernel's process times make a second; Linux shows no others to programs.
const ticks = 100

// Processes reads the process pid with all that descend from it, and whatever others isOurs names by their command line;
// it returns "" for those that are nobody's business here. They come in the order of their process IDs. Processes that
// end meanwhile are left out. It fails with fault.Unavailable if no process can be read.
func (r *Reader) Processes(pid int, isOurs func(args []string) string) ([]Process, error) {
	const op = "machine.Processes"
	kernel, err := r.proc.Stat()
	if err != nil {
		return nil, fault.Because(op, fault.Unavailable, "", err, "the processes of this machine cannot be read")
	}
	all, err := r.proc.AllProcs()
	if err != nil {
		return nil, fault.Because(op, fault.Unavailable, "", err, "the processes of this machine cannot be read")
	}
	boot, now := time.Unix(int64(kernel.BootTime), 0), time.Now() //nolint:gosec // seconds of this century
	slices.SortFunc(all, func(a, b procfs.Proc) int { return a.PID - b.PID })
	stats := map[int]procfs.ProcStat{}
	for _, p := range all {
		if s, err := p.Stat(); err == nil {
			stats[p.PID] = s
		}
	}
	names := namer{}
	ours := []Process{}
	for _, p := range all {
		s, alive := stats[p.PID]
		if !alive {
			continue
		}
		name := ""
		if args, err := p.CmdLine(); err == nil {
			name = isOurs(args)
		}
		if name == "" && descends(stats, p.PID, pid) {
			name = s.Comm
		}
		if name == "" {
			continue
		}
		began := boot.Add(time.Duration(s.Starttime) * time.Second / ticks) //nolint:gosec // not that old
		ours = append(ours, Process{
			Name: names.unique(name), Age: max(now.Sub(began), 0),
			CPUTime: time.Duration(s.UTime+s.STime) * time.Second / ticks, //nolint:gosec // not that old
		})
	}
	return ours, nil
}

// descends reports whether the process is pid or was begun by it or by one that descends from it.
func descends(stats map[int]procfs.ProcStat, process, pid int) bool {
	for range len(stats) { // a parent is never its own descendant, but what is read bit by bit may say so
		if process == pid {
			return true
		}
		s, ok := stats[process]
		if !ok || process <= 1 {
			return false
		}
		process = s.PPID
	}
	return false
}

var odd = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// namer makes names unique, by a number behind all but the first of a kind.
type namer map[string]bool

func (n namer) unique(name string) string {
	name = strings.Trim(odd.ReplaceAllString(name, "_"), "_")
	unique := name
	for i := 2; n[unique]; i++ {
		unique = name + "-" + strconv.Itoa(i)
	}
	n[unique] = true
	return unique
}
