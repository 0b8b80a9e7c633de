package cli

import (
	"github.com/shakenfist/shakenfist/api"
)

// wantedInstance is the instance that a module's arguments describe. Lists that were not given are nil.
type wantedInstance struct {
	api.CreateInstance
	uefi, secureBoot *bool // as given; nil for not
}

// wantedInstance reads the arguments of an instance, under the names of the API and those that playbooks for older
// modules have.
func (m *module) wantedInstance() (wantedInstance, error) {
	a := m.args
	w := wantedInstance{uefi: a.flag("uefi"), secureBoot: a.flag("secure_boot", "secureboot")}
	w.CreateInstance = api.CreateInstance{
		Name: a.text("name"), SSHKey: a.optional("ssh_key"), UserData: a.optional("user_data"), NVRAMTemplate: a.optional("nvram_template"),
		ConfigDrive: a.optional("configdrive"), PlacedOn: a.text("placed_on", "placement"), Metadata: a.object("metadata"),
	}
	if n := a.number("cpus", "cpu"); n != nil {
		w.CPUs = *n
	}
	if n := a.number("memory", "ram"); n != nil {
		w.Memory = *n
	}
	w.SecureBoot = w.secureBoot != nil && *w.secureBoot
	w.UEFI = w.SecureBoot || w.uefi != nil && *w.uefi
	for _, fill := range []func(a *arguments) error{w.readDisks, w.readNetworks, w.readVideo, w.readSideChannels} {
		if err := fill(a); err != nil {
			return w, err
		}
	}
	return w, nil
}

// complete fails if something is missing that every new instance needs.
func (w *wantedInstance) complete() error {
	switch {
	case w.Name == "":
		return failed("name is missing; an instance needs it to be created")
	case w.CPUs == 0:
		return failed("cpus is missing; an instance needs it to be created")
	case w.Memory == 0:
		return failed("memory is missing; an instance needs it to be created, in MiB")
	case len(w.Disk) == 0:
		return failed("disk is missing; an instance needs at least one to be created")
	}
	return nil
}

func (w *wantedInstance) readDisks(a *arguments) error {
	short, err := parseAll(a.list("disk", "disks"), described(parseDisk, diskArgument))
	if err != nil {
		return err
	}
	long, err := parseAll(a.list("diskspecs"), described(parseDiskSpec, diskArgument))
	w.Disk = both(short, long)
	return err
}

func diskArgument(a *arguments) (api.DiskSpec, error) {
	return api.DiskSpec{Base: a.optional("base"), Bus: a.optional("bus"), Size: a.number("size"), Type: a.optional("type")}, nil
}

func (w *wantedInstance) readNetworks(a *arguments) error {
	short, err := parseAll(a.list("network", "networks"), described(func(text string) (api.NetworkSpec, error) {
		return parseNetwork(text, false)
	}, networkArgument))
	if err != nil {
		return err
	}
	long, err := parseAll(a.list("networkspecs"), described(parseNetworkSpec, networkArgument))
	w.Network = both(short, long)
	return err
}

func networkArgument(a *arguments) (api.NetworkSpec, error) {
	n := api.NetworkSpec{
		Network: a.text("network_uuid"), Address: a.text("address"), MAC: a.text("macaddress"), Model: a.text("model"),
	}
	if float := a.flag("float"); float != nil {
		n.Float = *float
	}
	if n.Network == "" {
		return n, failed("network_uuid is missing in an element of network")
	}
	return n, nil
}

// both returns the elements of two lists, nil if both are.
func both[T any](x, y []T) []T {
	if x == nil {
		return y
	}
	return append(x, y...)
}

func (w *wantedInstance) readSideChannels(a *arguments) (err error) {
	w.SideChannels, err = parseAll(a.list("side_channels"), func(v any) (string, error) { return plain(v), nil })
	return err
}

func (w *wantedInstance) readVideo(a *arguments) error {
	all, err := parseAll(a.list("video"), described(parseVideo, videoArgument))
	if len(all) > 0 {
		w.Video = &all[0]
	}
	return err
}

func videoArgument(a *arguments) (api.Video, error) {
	v, err := parseVideo("")
	for into, text := range map[*string]string{&v.Model: a.text("model"), &v.VDI: a.text("vdi")} {
		if text != "" {
			*into = text
		}
	}
	if n := a.number("memory"); n != nil {
		v.Memory = *n
	}
	return v, err
}

// described returns a function that reads what is described by text or by an object.
func described[T any](text func(string) (T, error), object func(a *arguments) (T, error)) func(v any) (T, error) {
	return func(v any) (T, error) {
		o, ok := v.(map[string]any)
		if !ok {
			return text(plain(v))
		}
		a := newArguments(o)
		t, err := object(a)
		if err == nil {
			err = a.err
		}
		if strange := a.strange(); err == nil && len(strange) > 0 {
			err = failed("there is no key %q in %s", strange[0], plain(v))
		}
		return t, err
	}
}
