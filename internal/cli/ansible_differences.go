package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/shakenfist/shakenfist/api"
)

// differences says in which arguments an object is not as it should be. What is nil does not matter.
type differences []string

func (d *differences) text(name, is string, want *string) {
	if want != nil && *want != is {
		*d = append(*d, name+" differs")
	}
}

func (d *differences) flag(name string, is bool, want *bool) {
	if want != nil && *want != is {
		*d = append(*d, name+" differs")
	}
}

// state notes a state that no object is left in which shall be there.
func (d *differences) state(is string) {
	if is == api.StateError || is == deleteWait {
		*d = append(*d, "its state is "+is)
	}
}

func (d *differences) number(name string, is, want int) {
	if want != 0 && want != is {
		*d = append(*d, fmt.Sprintf("%s is %d and should be %d", name, is, want))
	}
}

// same reports whether two values are equal in JSON, in whatever types they are held: 1 and 1.0 are.
func same(x, y any) bool {
	var decoded [2]any
	for n, v := range []any{x, y} {
		b, err := json.Marshal(v)
		if err != nil || json.Unmarshal(b, &decoded[n]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(decoded[0], decoded[1])
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
