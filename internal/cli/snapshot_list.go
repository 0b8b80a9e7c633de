package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// snapshots prints copies that were asked for, and the label that means one of them if it is not nil.
func (a *app) snapshots(s copies, label *api.Artifact) error {
	value := map[string]any{}
	var rows [][]string
	for _, device := range s.devices() {
		v := s.taken[device]
		state := api.StateInitial
		if seen, ok := s.seen[v.Blob]; ok {
			state = seen.State
		}
		value[device] = v
		rows = append(rows, []string{device, state, v.Blob, v.Artifact, v.SourceURL})
	}
	if label != nil {
		value["label"] = label
	}
	if a.format != formatPretty && a.format != formatSimple || a.columns.picked != "" {
		return a.list(listing{value: value, rows: rows, key: "blob uuid"})
	}
	for _, row := range rows {
		switch row[1] {
		case api.StateCreated:
			a.printf("Created snapshot of %s: blob %s, artifact %s\n", harmless(row[0]), row[2], row[3])
		case api.StateInitial:
			a.printf("Creating snapshot of %s: blob %s, artifact %s\n", harmless(row[0]), row[2], row[3])
		}
	}
	if label != nil {
		a.printf("Updated label %s\n", harmless(label.SourceURL))
	}
	return nil
}

// snapshotRecord prints the copies of an instance's disks as a part of its record.
func (a *app) snapshotRecord(l []api.Snapshot) error {
	a.printf("\n")
	if a.format == formatSimple {
		var rows [][]string
		for _, v := range l {
			rows = append(rows, []string{"snapshot", v.UUID, v.Device, v.BlobUUID, created(v), v.State, strconv.FormatInt(v.Size, 10), v.ErrorMessage})
		}
		return a.simple([]string{"snapshot", "uuid", "device", "blob uuid", "created", "state", "size", "error message"}, rows)
	}
	a.printf("Snapshots:\n")
	for _, v := range l {
		fields := []field{{"uuid", v.UUID}, {"device", v.Device}, {"blob uuid", v.BlobUUID}, {"created", created(v)}, {"state", v.State}}
		if v.State == api.StateCreated {
			fields = append(fields, field{"size", bytesText(float64(v.Size))}, field{"depends on", orNone(v.DependsOn)})
		}
		if v.ErrorMessage != "" {
			fields = append(fields, field{"error message", v.ErrorMessage})
		}
		a.printf("\n")
		a.aligned("    ", fields)
	}
	return nil
}

func created(v api.Snapshot) string { return local(api.At(time.Unix(v.Created, 0))) }

// devicesOf returns what of an instance can be copied.
func devicesOf(i api.Instance) []candidate {
	var all []candidate
	for _, d := range i.Disks {
		if !d.SnapshotIgnores {
			all = append(all, candidate{d.Device, d.Bus + " disk of " + i.Name})
		}
	}
	if i.UEFI {
		all = append(all, candidate{"nvram", "variables of the firmware of " + i.Name})
	}
	return all
}

// deviceCompletion offers the devices of the instance that the command names.
func (a *app) deviceCompletion(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.candidates(cmd, func(ctx context.Context, c *client.Client) ([]candidate, error) {
		i, err := c.GetInstance(ctx, args[0])
		return devicesOf(i), err
	}, start)
}
