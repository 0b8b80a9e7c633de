package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// snapshotFlags are the flags of instance snapshot.
type snapshotFlags struct {
	api.TakeSnapshot

	label      string
	afterwards bool // delete the snapshot once the label means it
}

func (a *app) instanceSnapshot() *cobra.Command {
	var n snapshotFlags
	cmd := a.leaf(leaf{
		use: "snapshot INSTANCE", short: "Copy the disks of an instance, which may go on running",
		long: "Without --all and --device it is the first disk. All disks are copied as they are at one moment. Each has an artifact, " +
			"sf://instance/UUID/DEVICE, of which the copy is the next version.\n\n" +
			"Unless --async is continue, this waits until the copies are made, and fails if one can't be. With --label_name, a label " +
			"means the copy then, and a wait that is too short is a failure.",
		example: "sf-client instance snapshot web1\n" +
			"sf-client instance snapshot web1 --all --timeout 10m\n" +
			"sf-client instance snapshot web1 -d vdb --thin\n" +
			"sf-client instance snapshot web1 --flatten -l tested --delete-snapshot-after-label",
		complete: instanceNames, flags: n.flags, waits: true,
		columns: []string{"device", "state", "blob uuid", "artifact uuid", "source url"},
		run: func(ctx context.Context, c *client.Client, args []string) error {
			if err := n.check(a); err != nil {
				return err
			}
			return a.snapshot(ctx, c, args[0], n)
		},
	})
	mustComplete(cmd, "device", a.deviceCompletion)
	mustComplete(cmd, "label_name", a.flagCompletion(labelNames))
	return cmd
}

func (n *snapshotFlags) flags(f *pflag.FlagSet) {
	f.BoolVarP(&n.All, "all", "a", false, "every disk, and the variables of UEFI firmware")
	f.StringVarP(&n.Device, "device", "d", "", "this one only, such as vda, or nvram for the variables of UEFI firmware")
	f.StringVarP(&n.label, "label_name", "l", "", "then have this label mean the copy")
	choose(f, &n.afterwards, true, "delete-snapshot-after-label", "delete the copy as a version of the snapshot once the label has it")
	choose(f, &n.afterwards, false, "retain-snapshot-after-label", "keep it (the default)")
	f.BoolVar(&n.Thin, "thin", false, "copy only what the guest itself wrote, on top of the image beneath")
	f.BoolVar(&n.Flatten, "flatten", false, "make a copy that is whole by itself, whatever the cloud's default is")
}

// check finds flags that make no sense together.
func (n *snapshotFlags) check(a *app) error {
	switch {
	case n.All && n.Device != "":
		return usageError{"--all and --device exclude each other"}
	case n.Thin && n.Flatten:
		return usageError{"--thin and --flatten exclude each other"}
	case n.afterwards && n.label == "":
		return usageError{"--delete-snapshot-after-label is of no use without --label_name"}
	case n.label == "":
		return nil
	case n.All:
		return usageError{"a label means one copy: give --device in place of --all, or use label update"}
	}
	strategy, err := a.patience()
	if err == nil && strategy == client.Continue && !a.waiting.asked() {
		err = usageError{"a label can mean only what is there: --label_name needs --wait, or another --async than continue"}
	}
	return err
}

// copies are the snapshots that were asked for, by device.
type copies struct {
	taken map[string]api.TakenSnapshot
	seen  map[string]api.Snapshot // by blob; those that were seen
}

// devices returns the devices in order.
func (s copies) devices() []string { return slices.Sorted(maps.Keys(s.taken)) }

func (a *app) snapshot(ctx context.Context, c *client.Client, ref string, n snapshotFlags) error {
	taken, err := c.SnapshotInstance(ctx, ref, n.TakeSnapshot)
	if err != nil {
		return err
	}
	if len(taken) == 0 {
		return a.nothingTaken(ctx, c, ref, n.Device)
	}
	s := copies{taken: taken, seen: map[string]api.Snapshot{}}
	waited := a.snapshotsMade(ctx, c, ref, s)
	if waited != nil && !late(waited) {
		return waited
	}
	if n.label == "" {
		return cmp.Or(a.snapshots(s, nil), waited, s.failed())
	}
	if s.made() {
		return a.labelSnapshot(ctx, c, s, n)
	}
	if waited == nil && s.failed() == nil { // the strategy's patience ended, which is an error here
		strategy, _ := a.patience() // which was asked before
		waited = timeoutError{"The snapshot", strategy.Patience()}
	}
	a.tellf("Label %s was not changed; label update does it once there is something to mean.\n", harmless(n.label))
	return cmp.Or(a.snapshots(s, nil), waited, s.failed())
}

// nothingTaken says why there is nothing to copy.
func (a *app) nothingTaken(ctx context.Context, c *client.Client, ref, device string) error {
	i, err := c.GetInstance(ctx, ref)
	if err != nil {
		return err
	}
	var have []string
	for _, d := range devicesOf(i) {
		have = append(have, d.word)
	}
	switch {
	case len(have) == 0:
		return failed("Instance %s has no disk that can be copied", i.Name)
	case device == "":
		return failed("The first disk of instance %s can't be copied; --device names one that can: %s", i.Name, strings.Join(have, ", "))
	}
	return failed("Instance %s has no device %s to copy; it has %s", i.Name, device, strings.Join(have, ", "))
}

// snapshotsMade waits until the copies are made, or one of them can't be, and keeps what it saw in s.
func (a *app) snapshotsMade(ctx context.Context, c *client.Client, ref string, s copies) error {
	var blobs []string
	for _, device := range s.devices() {
		blobs = append(blobs, s.taken[device].Blob)
	}
	return a.wait(ctx, "Snapshot of "+ref, func(ctx context.Context, p *progress) error {
		_, err := c.WaitSnapshots(ctx, ref, blobs, func(l []api.Snapshot) {
			made := 0
			for _, v := range l {
				s.seen[v.BlobUUID] = v
				if v.State == api.StateCreated {
					made++
				}
			}
			p.show("being made", strconv.Itoa(made)+" of "+strconv.Itoa(len(blobs)))
		})
		return err
	})
}

// made reports whether all copies are there.
func (s copies) made() bool {
	for _, v := range s.taken {
		if s.seen[v.Blob].State != api.StateCreated {
			return false
		}
	}
	return true
}

// failed says which copies could not be made, and why; nil if none.
func (s copies) failed() error {
	var all []string
	for _, device := range s.devices() {
		if v, ok := s.seen[s.taken[device].Blob]; ok && v.State == api.StateError {
			all = append(all, "The snapshot of "+device+" failed: "+cmp.Or(v.ErrorMessage, "the server does not say why; see the events of the instance"))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return failed("%s", strings.Join(all, "\n"))
}

// labelSnapshot has a label mean the copy, which is one, and deletes it as a snapshot if that is wanted.
func (a *app) labelSnapshot(ctx context.Context, c *client.Client, s copies, n snapshotFlags) error {
	one := s.taken[s.devices()[0]]
	label, err := c.UpdateLabel(ctx, n.label, api.UpdateLabel{BlobUUID: one.Blob})
	if err != nil {
		a.tellf("The snapshot is made, as blob %s, but label %s does not mean it.\n", one.Blob, harmless(n.label))
		return err
	}
	if n.afterwards {
		if err := deleteVersionOf(ctx, c, one.Artifact, one.Blob); err != nil {
			a.tellf("Label %s means the snapshot now, but that is not deleted.\n", harmless(n.label))
			return err
		}
	}
	return a.snapshots(s, &label)
}

// deleteVersionOf deletes the version of an artifact that is a blob, and with its last one the artifact. Older snapshots of the
// same disk stay.
func deleteVersionOf(ctx context.Context, c *client.Client, artifact, blob string) error {
	v, err := c.GetArtifact(ctx, artifact)
	if err != nil {
		return err
	}
	for index, b := range v.Blobs {
		if b.UUID == blob {
			_, err := c.DeleteArtifactVersion(ctx, artifact, index)
			return err
		}
	}
	return nil // it went as the oldest one
}
