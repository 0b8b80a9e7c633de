package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) instanceShow() *cobra.Command {
	var snapshots bool
	return a.leaf(leaf{
		use: "show INSTANCE", short: "Show an instance with its disks and interfaces",
		example:  "sf-client instance show web1\nsf-client --json instance show d51aa352-368c-484c-9e4c-4542927b4277\nsf-client instance show web1 -s",
		complete: instanceNames,
		flags:    func(f *pflag.FlagSet) { f.BoolVarP(&snapshots, "snapshots", "s", false, "the copies of its disks too") },
		run: func(ctx context.Context, c *client.Client, args []string) error {
			i, err := c.GetInstance(ctx, args[0])
			if err != nil {
				return err
			}
			if !snapshots {
				return a.instance(i)
			}
			l, err := c.InstanceSnapshots(ctx, i.UUID)
			if err != nil {
				return err
			}
			return a.instanceWith(i, append(api.List[api.Snapshot]{}, l...))
		},
	})
}

func (a *app) instance(i api.Instance) error { return a.instanceWith(i, nil) }

// instanceWith prints an instance and the copies of its disks, unless they are nil.
func (a *app) instanceWith(i api.Instance, snapshots api.List[api.Snapshot]) error {
	value, err := instanceObject(i)
	if err != nil {
		return err
	}
	if snapshots != nil {
		value["snapshots"] = snapshots
	}
	return a.show(record{value: value, fields: a.instanceFields(i), more: func() error {
		a.printf("\n")
		a.fields([]field{{"ssh key", strings.TrimSpace(orNone(i.SSHKey))}, {"user data", orNone(i.UserData)}})
		if a.format == formatSimple {
			if err := a.instanceHardware(i); err != nil {
				return err
			}
		}
		if err := a.metadata(i.Metadata); err != nil {
			return err
		}
		if err := a.instanceAddresses(i.Interfaces); err != nil || snapshots == nil {
			return err
		}
		return a.snapshotRecord(snapshots)
	}})
}

// instanceObject returns an instance under the keys that scripts know, which are not quite those of the API.
func instanceObject(i api.Instance) (api.Object, error) {
	return pick(struct {
		api.Instance
		NetworkInterfaces api.List[api.Interface] `json:"network_interfaces"`
	}{i, i.Interfaces},
		"uuid", "name", "namespace", "cpus", "memory", "disk_spec", "video", "node", "console_port", "vdi_port", "vdi_tls_port",
		"ssh_key", "user_data", "power_state", "state", "error_message", "uefi", "secure_boot", "nvram_template", "side_channels",
		"agent_state", "network_interfaces", "metadata")
}

func (a *app) instanceFields(i api.Instance) []field {
	fields := []field{
		{"uuid", i.UUID},
		{"name", i.Name},
		{"namespace", i.Namespace},
		{"cpus", strconv.Itoa(i.CPUs)},
		{"memory", strconv.Itoa(i.Memory)},
		{"uefi", yesNo(i.UEFI)},
		{"secure boot", yesNo(i.SecureBoot)},
		{"nvram template", orNone(i.NVRAMTemplate)},
	}
	if a.format == formatPretty {
		fields = append(fields, field{"disk spec", diskLines(i.DiskSpec)},
			field{"video", fmt.Sprintf("model=%s  memory=%d  vdi=%s", i.Video.Model, i.Video.Memory, i.Video.VDI)})
	}
	fields = append(fields,
		field{"node", orNone(i.Node)},
		field{"power state", i.PowerState},
		field{"state", i.State},
		field{"agent state", i.AgentState},
		field{"error message", orNone(i.ErrorMessage)},
		field{"console port", orNone(i.ConsolePort)},
		field{"vdi port", orNone(i.VDIPort)},
	)
	if i.VDITLSPort != nil {
		fields = append(fields, field{"vdi tls port", orNone(i.VDITLSPort)})
	}
	return append(fields, field{"side channels", strings.Join(i.SideChannels, " ")})
}

// diskLines returns disk specs one beneath the other.
func diskLines(specs []api.DiskSpec) string {
	var lines []string
	for _, d := range specs {
		lines = append(lines, fmt.Sprintf("type=%-5s  bus=%-6s  size=%-4s  base=%s", orNone(d.Type), orNone(d.Bus), orNone(d.Size), orNone(d.Base)))
	}
	return strings.Join(lines, "\n")
}

// instanceHardware prints disks and video card for scripts.
func (a *app) instanceHardware(i api.Instance) error {
	a.printf("\n")
	var rows [][]string
	for _, d := range i.DiskSpec {
		rows = append(rows, []string{"disk_spec", orNone(d.Type), orNone(d.Bus), orNone(d.Size), orNone(d.Base)})
	}
	if err := a.simple([]string{"disk_spec", "type", "bus", "size", "base"}, rows); err != nil {
		return err
	}
	a.printf("\n")
	return a.simple([]string{"video", "model", "memory"}, [][]string{{"video", i.Video.Model, strconv.Itoa(i.Video.Memory)}})
}

// instanceAddresses prints the interfaces of an instance as the last part of its record.
func (a *app) instanceAddresses(l []api.Interface) error {
	a.printf("\n")
	if a.format == formatSimple {
		header := interfaceColumns()
		header[0], header[1] = "interface uuid", "network uuid"
		var rows [][]string
		for _, i := range l {
			rows = append(rows, append([]string{"iface"}, interfaceRow(i)...))
		}
		return a.simple(append([]string{"iface"}, header...), rows)
	}
	a.printf("Interfaces:\n")
	for _, i := range l {
		a.printf("\n")
		a.aligned("    ", interfaceFields(i))
	}
	return nil
}
