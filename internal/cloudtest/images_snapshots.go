package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/step"
)

// Copying is a story of snapshots: whole, thin, of all of a guest, of one that is off, and a chain of which the middle goes.
// Guests write while their disks are copied.
func Copying() Story {
	story := galleryStory(12, copying)
	begin := story.begin
	story.begin = func(t testing.TB) (*Simulated, []act) {
		t.Helper()
		s, acts := begin(t)
		preset := s.change
		s.change = func(c *shakenfist.Config) {
			preset(c)
			c.Steps = s.busily(c.Steps)
		}
		return s, acts
	}
	return story
}

// meanwhile is what guests write while their disks are held.
const meanwhile = "meanwhile"

// busily is a hook that has a guest write when its disks were held, whatever becomes of the process that held them.
func (s *Simulated) busily(hook step.Hook) step.Hook {
	return func(ctx context.Context, now step.Step) error {
		if now.Name == "hypervisor.Hold" && now.After {
			_ = s.Parts.Hypervisor.Write(now.Ref, "vda", meanwhile) // one that is off does not
		}
		return hook(ctx, now)
	}
}

// noticed tells whether a guest has what it wrote meanwhile.
func noticed(name string) func(context.Context, *tenant) (string, error) {
	return func(ctx context.Context, a *tenant) (has string, err error) {
		err = onDisk(ctx, a, name, func(d *simhv.Driver, id string) error {
			text, err := d.Read(id, "vda")
			has = fmt.Sprint(strings.Contains(text, meanwhile))
			return err
		})
		return has, err
	}
}

func copying(*gallery) []act {
	return append(originals(), chain()...)
}

// originals makes a guest and copies it in every way.
func originals() []act {
	other := "other"
	return []act{
		{name: "cache an image", look: works, wanted: "disk created [1]", do: cache("disk")},
		{
			name: "upload variables", look: works, wanted: "disk created [1], vars created [1]",
			do: func(ctx context.Context, a *tenant) error { return send(ctx, a, "vars", make([]byte, 1<<12), &other) },
		},
		{
			name: "boot with them", look: guests, wanted: "web1 created on",
			do: func(ctx context.Context, a *tenant) error {
				id, err := blobCalled(ctx, a, "vars", 1)
				if err != nil {
					return err
				}
				r := Tiny("web1", bubbleImages+"/disk", "")
				r.UEFI, r.NVRAMTemplate = true, &id
				return bootAs(ctx, a, r)
			},
		},
		{name: "write", look: reads("web1"), wanted: "first", do: writes("web1", "first")},
		{name: "copy the first disk", look: copies("web1"), wanted: "vda whole", do: copyOf("web1", 1, api.TakeSnapshot{Flatten: true})},
		{name: "what was written meanwhile is there", look: noticed("web1"), wanted: "true", do: pass(0)},
		{name: "write more", look: reads("web1"), wanted: "first second", do: writes("web1", "second")},
		{
			name: "copy all, thin", look: copies("web1"), wanted: "nvram whole, vda thin, vda whole",
			do: copyOf("web1", 2, api.TakeSnapshot{All: true, Thin: true}),
		},
		{
			name: "power off", look: guests, wanted: "web1 created off",
			do: func(ctx context.Context, a *tenant) error { return a.admin().PowerOff(ctx, "web1") },
		},
		{
			name: "copy what is off", look: copies("web1"), wanted: "nvram whole, vda thin, vda whole, vda whole",
			do: copyOf("web1", 3, api.TakeSnapshot{Flatten: true}),
		},
		{
			name: "power on", look: guests, wanted: "web1 created on",
			do: func(ctx context.Context, a *tenant) error { return a.admin().PowerOn(ctx, "web1") },
		},
		{name: "all that was written is there", look: both(reads("web1"), noticed("web1")), wanted: "first second; true", do: pass(0)},
		{
			name: "keep two copies", look: copies("web1"), wanted: "nvram whole, vda thin, vda whole",
			do: func(ctx context.Context, a *tenant) error {
				found, err := artifactCalled(ctx, a, "snapshot vda")
				if err != nil {
					return err
				}
				return a.admin().SetMaxVersions(ctx, found.UUID, 2)
			},
		},
	}
}

// chain makes thin copies of guests that began with thin copies, and deletes what lies in the middle.
func chain() []act {
	return []act{
		{
			name: "label the thin copy", look: label, wanted: "label tested created [1]",
			do: func(ctx context.Context, a *tenant) error {
				id, err := blobCalled(ctx, a, "snapshot vda", 2)
				if err != nil {
					return err
				}
				_, err = a.admin().UpdateLabel(ctx, "tested", api.UpdateLabel{BlobUUID: id})
				return err
			},
		},
		{name: "boot from it", look: both(guests, reads("web2")), wanted: "web1 created on, web2 created on; first second", do: boot("web2", "label:tested")},
		{name: "write to that", look: reads("web2"), wanted: "first second third", do: writes("web2", "third")},
		{name: "copy that, thin", look: copies("web2"), wanted: "vda thin", do: copyOf("web2", 1, api.TakeSnapshot{Thin: true})},
		{
			name: "boot from the copy of a copy", look: both(guests, reads("web3")),
			wanted: "web1 created on, web2 created on, web3 created on; first second third",
			do: func(ctx context.Context, a *tenant) error {
				all, err := a.admin().InstanceSnapshots(ctx, "web2")
				if err != nil {
					return err
				}
				if len(all) != 1 {
					return fmt.Errorf("web2 has %d snapshots: %w", len(all), fault.NotFound)
				}
				return bootAs(ctx, a, Tiny("web3", "sf://snapshot/"+all[0].UUID, ""))
			},
		},
		{name: "delete the middle guest", look: guests, wanted: "web1 created on, web3 created on", do: takeDown("web2")},
		{
			name: "delete the label of the middle", look: label, wanted: "",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().DeleteLabel(ctx, "tested")
				return err
			},
		},
		{
			name: "delete the copies of the first guest", look: both(copies("web1"), contents),
			// The image, the variables, and the two of the chain.
			wanted: "nvram whole; 5 blobs, 0 transcodes, 0 damaged, 3 images",
			do: func(ctx context.Context, a *tenant) error {
				all, err := a.admin().InstanceSnapshots(ctx, "web1")
				if i := slices.IndexFunc(all, func(s api.Snapshot) bool { return s.Device == "vda" }); i >= 0 {
					_, err = a.admin().DeleteArtifact(ctx, all[i].UUID)
				}
				return err
			},
		},
		{name: "write to the last", look: reads("web3"), wanted: "first second third fourth", do: writes("web3", "fourth")},
		{
			name: "copy what goes", look: guests, wanted: "web1 created on",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().SnapshotInstance(ctx, "web3", api.TakeSnapshot{All: true})
				if err == nil {
					_, err = a.admin().DeleteInstance(ctx, "web3")
				}
				return err
			},
		},
	}
}

// writes has a guest write a word to its first disk, unless it is there. The process of the cloud has no part in that.
func writes(name, word string) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		text, err := reads(name)(ctx, a)
		if err != nil || strings.HasSuffix(text, word) {
			return err
		}
		return onDisk(ctx, a, name, func(d *simhv.Driver, id string) error { return d.Write(id, "vda", word+"\n") })
	}
}

// reads returns the words that guests wrote to the first disk of one.
func reads(name string) func(context.Context, *tenant) (string, error) {
	return func(ctx context.Context, a *tenant) (words string, err error) {
		err = onDisk(ctx, a, name, func(d *simhv.Driver, id string) error {
			text, err := d.Read(id, "vda")
			lines := slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return l == "" || l == meanwhile || strings.HasPrefix(l, "boot ") })
			words = strings.Join(lines, " ")
			return err
		})
		return words, err
	}
}

// onDisk does something with an instance's guest if it runs.
func onDisk(ctx context.Context, a *tenant, name string, do func(d *simhv.Driver, id string) error) error {
	i, err := a.admin().GetInstance(ctx, name)
	if errors.Is(err, fault.NotFound) || err == nil && (i.State != "created" || i.PowerState != "on") {
		return nil
	}
	if err != nil {
		return err
	}
	return do(a.world.Parts.Hypervisor, i.UUID)
}

// copyOf asks for a snapshot of an instance, unless there are so many of its first disk.
func copyOf(name string, most int, r api.TakeSnapshot) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		all, err := a.admin().InstanceSnapshots(ctx, name)
		if err != nil {
			return err
		}
		if all = slices.DeleteFunc(all, func(s api.Snapshot) bool { return s.Device != "vda" }); len(all) == most {
			return nil
		}
		_, err = a.admin().SnapshotInstance(ctx, name, r)
		return err
	}
}

// copies lists the snapshots of an instance.
func copies(name string) func(context.Context, *tenant) (string, error) {
	return func(ctx context.Context, a *tenant) (string, error) {
		all, err := a.admin().InstanceSnapshots(ctx, name)
		return named(all, err, func(s api.Snapshot) string {
			switch {
			case s.State != "created":
				return s.Device + " " + s.State + " " + s.ErrorMessage
			case s.DependsOn != nil:
				return s.Device + " thin"
			}
			return s.Device + " whole"
		})
	}
}
