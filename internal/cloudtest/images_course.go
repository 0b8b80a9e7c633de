package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/shakenfist/shakenfist/api"
)

// ImageCourse is the course of an image, an upload, an instance and snapshots of it while it runs, whole and thin, and while
// it is off; a label of the thin one, and an instance from that.
func ImageCourse(ctx context.Context, p *Process, w World) (accepted string, err error) {
	a := &tenant{process: p}
	if err := imageUp(ctx, a, w.Image()); err != nil {
		return "", err
	}
	other := "other"
	err = once("notes", 1, func(ctx context.Context, a *tenant) error { return send(ctx, a, "notes", []byte("some words"), &other) })(ctx, a)
	if err != nil {
		return "", err
	}
	if accepted, err = guestUp(ctx, a, "web1", w.Image()); err != nil {
		return accepted, err
	}
	for most, r := range []api.TakeSnapshot{{Flatten: true}, {Thin: true}} {
		if err := snapshotUp(ctx, a, "web1", most+1, r); err != nil {
			return accepted, err
		}
	}
	thin, err := blobCalled(ctx, a, "snapshot vda", 2)
	if err != nil {
		return accepted, err
	}
	if _, err := p.Client.UpdateLabel(ctx, "nightly", api.UpdateLabel{BlobUUID: thin}); err != nil {
		return accepted, err
	}
	if _, err := guestUp(ctx, a, "web2", "label:nightly"); err != nil {
		return accepted, err
	}
	if err := p.Client.PowerOff(ctx, "web1"); err != nil {
		return accepted, err
	}
	return accepted, snapshotUp(ctx, a, "web1", 3, api.TakeSnapshot{Flatten: true})
}

// imageUp has an image fetched and waits until it is there.
func imageUp(ctx context.Context, a *tenant, url string) error {
	made, err := a.admin().CreateArtifact(ctx, api.CreateArtifact{URL: url})
	if err != nil {
		return err
	}
	return until(ctx, func() (bool, error) {
		f, err := a.admin().GetArtifact(ctx, made.UUID)
		if err == nil && f.State == "error" {
			return false, errors.New("the image failed")
		}
		return f.State == "created", err
	})
}

// guestUp waits until an instance is created, which is asked for unless it is there.
func guestUp(ctx context.Context, a *tenant, name, base string) (string, error) {
	if err := bootAs(ctx, a, Tiny(name, base, "")); err != nil {
		return "", err
	}
	var i api.Instance
	err := until(ctx, func() (bool, error) {
		var err error
		if i, err = a.admin().GetInstance(ctx, name); err == nil && i.State == "error" {
			return false, fmt.Errorf("%s failed: %s", name, *i.ErrorMessage)
		}
		return i.State == "created", err
	})
	return i.UUID, err
}

// snapshotUp waits until there are so many snapshots of an instance. One is asked for if there are less.
func snapshotUp(ctx context.Context, a *tenant, name string, most int, r api.TakeSnapshot) error {
	all, err := a.admin().InstanceSnapshots(ctx, name)
	if err != nil {
		return err
	}
	if len(all) < most {
		if _, err := a.admin().SnapshotInstance(ctx, name, r); err != nil {
			return err
		}
	}
	return until(ctx, func() (bool, error) {
		all, err := a.admin().InstanceSnapshots(ctx, name)
		if err != nil {
			return false, err
		}
		if i := slices.IndexFunc(all, func(s api.Snapshot) bool { return s.State == "error" }); i >= 0 {
			return false, fmt.Errorf("a snapshot failed: %s", all[i].ErrorMessage)
		}
		done := slices.DeleteFunc(all, func(s api.Snapshot) bool { return s.State != "created" })
		return len(done) >= most, nil
	})
}

// OfImages chooses from the points of the steps that make, copy and drop content on a host, and record that.
func OfImages(pick func([]Point) []Point) func([]Point) []Point {
	return func(all []Point) []Point {
		return pick(slices.DeleteFunc(slices.Clone(all), func(p Point) bool { return !slices.Contains(imageSteps(), p.Step) }))
	}
}

func imageSteps() []string {
	return []string{
		"exec qemu-img", "rename disk", "rename blob", "link blob", "hypervisor.Convert", "commit conclude fetch", "commit keep transcode",
		"hypervisor.Hold", "libvirt snapshot", "commit want snapshot", "commit disks stand still", "hypervisor.CopyDisk", "commit record snapshot",
		"hypervisor.Release", "libvirt merge", "libvirt pivot", "libvirt pivot disk", "remove held file", "remove snapshot copy",
		"commit end snapshot", "commit set label", "create upload file", "commit create upload", "commit add artifact version", "commit end blob",
	}
}

// Rims chooses the first and the last point of each step, and all of those at which a program copies content.
func Rims(all []Point) []Point {
	last := map[string]int{}
	for _, p := range all {
		last[p.Step] = max(last[p.Step], p.Nth)
	}
	return slices.DeleteFunc(slices.Clone(all), func(p Point) bool {
		return p.Nth != 1 && p.Nth != last[p.Step] && p.Step != "exec qemu-img" && p.Step != "hypervisor.CopyDisk"
	})
}
