package shakenfist

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/node"
)

// Figures are what a node has and uses at one moment, by name: numbers, and whether it has a role. Of a node whose host is
// simulated they are what it claims.
type Figures map[string]any

// Number returns a figure as a number, 1 for true. It is 0 if there is no such figure.
func (f Figures) Number(name string) float64 {
	switch v := f[name].(type) {
	case float64:
		return v
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case bool:
		if v {
			return 1
		}
	}
	return 0
}

// Figures returns the figures of a node: of this one as they are, of another one as it last told, nil if it never did. It
// fails with fault.NotFound.
func (c *Cloud) Figures(ctx context.Context, name string) (Figures, error) {
	n, err := c.Nodes.Get(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case name == c.config.Node:
		return c.figures(ctx, n), nil
	}
	return c.told(ctx, name, event.Resources)
}

// told returns what a node last told in a sample.
func (c *Cloud) told(ctx context.Context, name string, t event.Type) (Figures, error) {
	sample, _, err := c.Events.Newest(ctx, aboutNode(name), t)
	return sample.Extra, err
}

func aboutNode(name string) event.Object { return event.Object{Kind: "node", ID: name} }

// figures looks at this node.
func (c *Cloud) figures(ctx context.Context, n node.Node) Figures {
	share := c.Instances.ShareOf(ctx, n)
	f := Figures{
		"is_etcd_master": true, "is_eventlog_node": true, "is_hypervisor": n.IsHypervisor, "is_network_node": n.IsNetworkNode,
		"cpu_max": n.CPUs, "cpu_available": n.CPUs, "cpu_max_per_instance": n.MaxVCPUs,
		"cpu_load_1": 0.0, "cpu_load_5": 0.0, "cpu_load_15": 0.0,
		"memory_max": n.MemoryMiB, "memory_available": max(int64(n.MemoryMiB)-share.Committed.MemoryMiB, 0),
		"disk_read_bytes": 0, "disk_write_bytes": 0, "network_read_bytes": 0, "network_write_bytes": 0,
		"cpu_total_instance_vcpus":     share.Committed.VCPUs,
		"memory_total_instance_max":    share.Committed.MemoryMiB,
		"memory_total_instance_actual": share.Committed.MemoryMiB,
		"instances_total":              share.Committed.Instances, "instances_active": share.Active,
		"node_queue_processing": len(c.Instances.Busy()) + len(c.Networks.Busy()) + len(c.Artifacts.Busy()) + len(c.Blobs.Busy()),
		"node_queue_waiting":    0, // nothing waits: what is wanted is worked on at once
	}
	c.addDisks(f, n)
	if c.machine != nil {
		c.addMachine(ctx, f)
	}
	return f
}

// addDisks adds how full the folders are that a node keeps its things in. Each may lie on a disk of its own.
func (c *Cloud) addDisks(f Figures, n node.Node) {
	total, free := n.DiskTotal, n.DiskFree
	areas := map[string]string{"sfroot": ""} // by the names that dashboards know
	for _, folder := range []string{"blobs", "events", "image_cache", "instances", "uploads"} {
		areas[folder] = folder
	}
	for name, folder := range areas {
		here := n.DiskFree
		if size, left := diskSpace(filepath.Join(c.config.Dir, folder)); size > 0 && c.machine != nil {
			here = left
		}
		f["disk_free_"+name] = here
		free = min(free, here)
	}
	f["disk_total"], f["disk_free"], f["disk_used"] = total, free, max(total-free, 0)
}

func (c *Cloud) addMachine(ctx context.Context, f Figures) {
	now, err := c.machine.Figures()
	if err != nil {
		c.config.Logger.DebugContext(ctx, "looking at this machine", slog.Any("error", err))
	}
	f["cpu_load_1"], f["cpu_load_5"], f["cpu_load_15"] = now.Load1, now.Load5, now.Load15
	f["memory_available"] = now.MemoryAvailable
	f["disk_read_bytes"], f["disk_write_bytes"] = now.DiskRead, now.DiskWritten
	f["network_read_bytes"], f["network_write_bytes"] = now.NetworkRead, now.NetworkWritten
}

// Processes returns figures of a node's daemon, of the programs it runs and of its guests, three for each process:
// process_cpu_time_<name> and process_age_<name> in seconds, and process_cpu_fraction_<name>, the one divided by the other.
// They are as old as those of Figures, and nobody's if the node's host is simulated. It fails with fault.NotFound.
func (c *Cloud) Processes(ctx context.Context, name string) (Figures, error) {
	if _, err := c.Nodes.Get(ctx, name); err != nil {
		return nil, err
	}
	if name == c.config.Node {
		return c.processes()
	}
	return c.told(ctx, name, event.Usage)
}

func (c *Cloud) processes() (Figures, error) {
	f := Figures{}
	if c.machine == nil {
		return f, nil
	}
	list, err := c.machine.Processes(os.Getpid(), c.isOurs)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		fraction := 0.0
		if p.Age > 0 {
			fraction = p.CPUTime.Seconds() / p.Age.Seconds()
		}
		f["process_cpu_time_"+p.Name] = p.CPUTime.Seconds()
		f["process_age_"+p.Name] = p.Age.Seconds()
		f["process_cpu_fraction_"+p.Name] = fraction
	}
	return f, nil
}

// isOurs names the processes that outlive the daemon: guests, and the DHCP servers of networks.
func (c *Cloud) isOurs(args []string) string {
	for i, arg := range args {
		if guest, ok := strings.CutPrefix(arg, "guest=sf:"); ok && i > 0 && args[i-1] == "-name" {
			id, _, _ := strings.Cut(guest, ",")
			if _, err := c.Instances.Get(context.Background(), id); err == nil {
				return "qemu-" + id
			}
		}
		if file, ok := strings.CutPrefix(arg, "--pid-file="+c.config.Dir+"/"); ok {
			return "dnsmasq-" + filepath.Base(filepath.Dir(file))
		}
	}
	return ""
}

// report tells the others what this node has and uses, now and then, until ctx ends.
func (c *Cloud) report(ctx context.Context) {
	for {
		pause := c.config.Report
		if err := c.tell(ctx); err != nil {
			c.config.Logger.DebugContext(ctx, "telling of this node's resources", slog.String("error", fault.Text(err)))
			pause = min(pause, 10*time.Second) // the store is away
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (c *Cloud) tell(ctx context.Context) error {
	n, err := c.Nodes.Get(ctx, c.config.Node)
	if err != nil {
		return err
	}
	about := aboutNode(n.Name)
	if err := c.Events.Sample(ctx, about, event.Resources, "resources", c.figures(ctx, n)); err != nil {
		return err
	}
	processes, err := c.processes()
	if err == nil && len(processes) > 0 {
		err = c.Events.Sample(ctx, about, event.Usage, "processes", processes)
	}
	return errors.Join(err, c.Artifacts.ReportUsage(ctx))
}
