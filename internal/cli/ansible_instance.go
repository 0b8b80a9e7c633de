package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// instance is the module for instances.
func (m *module) instance(ctx context.Context) (outcome, error) {
	want, err := m.wantedInstance()
	if err != nil {
		return outcome{}, err
	}
	ref := cmp.Or(m.args.text("uuid"), want.Name)
	if err := m.read(); err != nil {
		return outcome{}, err
	}
	if ref == "" {
		return outcome{}, failed("name and uuid are missing; give one of them")
	}
	i, err := m.c.GetInstance(ctx, ref)
	if err != nil && !missing(err) {
		return outcome{}, err
	}
	exists := err == nil && i.State != api.StateDeleted
	switch {
	case m.absent && !exists:
		return gone("instance", ref)
	case m.absent:
		return m.deleteInstance(ctx, i)
	case !exists:
		return m.createInstance(ctx, want)
	}
	reasons, err := m.instanceDiffers(ctx, i, want)
	if err != nil {
		return outcome{object: i}, err
	}
	if len(reasons) == 0 {
		return m.annotate(ctx, i, want.Metadata)
	}
	m.logf("instance %s is made anew: %s", ref, strings.Join(reasons, ", "))
	return m.replaceInstance(ctx, i, want)
}

// replaceInstance makes an instance anew. That it could not be made is found out before the old one is gone, as far as
// that is possible.
func (m *module) replaceInstance(ctx context.Context, i api.Instance, want wantedInstance) (outcome, error) {
	want.Name = cmp.Or(want.Name, i.Name)
	if err := want.complete(); err != nil {
		return outcome{object: i}, err
	}
	if o, err := m.deleteInstance(ctx, i); err != nil {
		return o, err
	}
	return m.createInstance(ctx, want)
}

func (m *module) createInstance(ctx context.Context, want wantedInstance) (outcome, error) {
	if err := want.complete(); err != nil {
		return outcome{}, err
	}
	m.logf("creating instance %s", want.Name)
	i, err := m.c.CreateInstance(ctx, want.CreateInstance)
	if err != nil {
		return outcome{}, err
	}
	err = m.await(ctx, func(ctx context.Context) error {
		last, err := m.c.WaitInstance(ctx, i.UUID, nil)
		if last.UUID != "" {
			i = last
		}
		return err
	})
	if err == nil && i.State == api.StateError {
		err = failed("instance %s failed: %s", i.Name, reason(i.ErrorMessage))
	}
	return outcome{changed: true, object: i}, err
}

func (m *module) deleteInstance(ctx context.Context, i api.Instance) (outcome, error) {
	m.logf("deleting instance %s", i.UUID)
	if i.State != deleteWait {
		if _, err := m.c.DeleteInstance(ctx, i.UUID); err != nil && !missing(err) {
			return outcome{object: i}, err
		}
	}
	err := m.await(ctx, func(ctx context.Context) error {
		_, err := m.c.WaitInstanceDeleted(ctx, i.UUID, func(now api.Instance) { i = now })
		return err
	})
	if err != nil {
		return outcome{changed: true, object: i}, err
	}
	return outcome{changed: true}, nil
}

// annotate gives an instance the metadata that it should have and has not. Other keys are left alone.
func (m *module) annotate(ctx context.Context, i api.Instance, want api.Object) (outcome, error) {
	o := outcome{object: i}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if same(i.Metadata[key], want[key]) {
			continue
		}
		m.logf("setting metadata %s", key)
		if err := m.c.SetInstanceMetadata(ctx, i.UUID, key, want[key]); err != nil {
			return o, err
		}
		o.changed = true
	}
	if !o.changed {
		return o, nil
	}
	var err error
	o.object, err = m.c.GetInstance(ctx, i.UUID)
	return o, err
}

// same reports whether two JSON values are equal, in whatever types they are held.
func same(x, y any) bool {
	x, err := generic(x)
	if err != nil {
		return false
	}
	y, err = generic(y)
	return err == nil && reflect.DeepEqual(numbers(x), numbers(y))
}

// instanceDiffers returns what about an instance is not as it should be, as far as that can't be changed.
func (m *module) instanceDiffers(ctx context.Context, i api.Instance, want wantedInstance) ([]string, error) {
	var d differences
	if want.Name != "" {
		d.text("name", i.Name, &want.Name)
	}
	d.number("cpus", i.CPUs, want.CPUs)
	d.number("memory", i.Memory, want.Memory)
	d.text("ssh_key", orNone(i.SSHKey), want.SSHKey)
	d.text("user_data", orNone(i.UserData), want.UserData)
	d.text("nvram_template", orNone(i.NVRAMTemplate), want.NVRAMTemplate)
	d.text("configdrive", i.ConfigDrive, want.ConfigDrive)
	if want.PlacedOn != "" {
		d.text("placed_on", i.RequestedPlacement, &want.PlacedOn)
	}
	d.flag("uefi", i.UEFI, want.uefi)
	d.flag("secure_boot", i.SecureBoot, want.secureBoot)
	if want.Video != nil && *want.Video != i.Video {
		d = append(d, "video differs")
	}
	if want.SideChannels != nil && !slices.Equal(want.SideChannels, i.SideChannels) {
		d = append(d, "side_channels differ")
	}
	if want.Disk != nil && !slices.EqualFunc(want.Disk, i.DiskSpec, sameDisk) {
		d = append(d, "disk differs")
	}
	d.state(i.State)
	same, err := m.sameNetworks(ctx, i.Interfaces, want.Network)
	if !same {
		d = append(d, "network differs")
	}
	return d, err
}

func (d *differences) number(name string, is, want int) {
	if want != 0 && want != is {
		*d = append(*d, fmt.Sprintf("%s is %d and should be %d", name, is, want))
	}
}

func sameDisk(want, is api.DiskSpec) bool {
	size := want.Size == is.Size || want.Size != nil && is.Size != nil && *want.Size == *is.Size
	return size && orNone(want.Base) == orNone(is.Base) && cmp.Or(orNone(want.Bus), "virtio") == cmp.Or(orNone(is.Bus), "virtio") &&
		cmp.Or(orNone(want.Type), "disk") == cmp.Or(orNone(is.Type), "disk")
}

// sameNetworks reports whether the interfaces of an instance are those that it should have. nil does not matter.
func (m *module) sameNetworks(ctx context.Context, is []api.Interface, want []api.NetworkSpec) (bool, error) {
	if want == nil {
		return true, nil
	}
	if len(want) != len(is) {
		return false, nil
	}
	for n, w := range want {
		var d differences
		if w.Network != is[n].NetworkUUID {
			network, err := m.c.GetNetwork(ctx, w.Network)
			if err != nil {
				return false, err
			}
			d.text("network", is[n].NetworkUUID, &network.UUID)
		}
		if w.Address != "" {
			d.text("address", cmp.Or(orNone(is[n].IPv4), "none"), &w.Address)
		}
		if w.MAC != "" {
			d.text("macaddress", is[n].MAC, &w.MAC)
		}
		if w.Model != "" {
			d.text("model", is[n].Model, &w.Model)
		}
		if len(d) > 0 {
			return false, nil
		}
	}
	return true, nil
}
