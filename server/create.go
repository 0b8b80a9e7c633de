package server

import (
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/network"
)

var createInstanceArgs = []arg{
	{name: "name", kind: argText, must: true, doc: "one DNS label", example: "web1"},
	{name: "cpus", kind: argInt, must: true, doc: "at least 1", example: 1},
	{name: "memory", kind: argInt, must: true, doc: "MiB, at least 1", example: 1024},
	{
		name: "disk", kind: argList, must: true, missing: "instance must specify at least one disk", of: diskArgs,
		doc: "the first is the root disk", example: []any{map[string]any{"size": 8, "base": "debian:12"}},
	},
	{name: "network", kind: argList, of: networkArgs, doc: "in the order of the interfaces; absent: none"},
	{name: "ssh_key", kind: argText, empty: true, doc: "public key, for the config drive"},
	{name: "user_data", kind: argText, empty: true, doc: "base64, for the config drive"},
	{name: "placed_on", kind: argText, empty: true, doc: "name of the only node to consider"},
	{name: "namespace", kind: argText, empty: true, doc: "absent: the caller's"},
	{name: "video", kind: argObject, of: videoArgs, doc: "absent: cirrus, 16384 KiB, spice"},
	{name: "uefi", kind: argBool, doc: "absent: false, which is BIOS"},
	{name: "secure_boot", kind: argBool, doc: "needs uefi; absent: false"},
	{name: "nvram_template", kind: argText, empty: true, doc: "label:NAME, sf://blob/UUID or the UUID of a blob; needs uefi. Absent: the firmware's own variables"},
	{name: "configdrive", kind: argText, empty: true, among: []string{"openstack-disk", "none"}, doc: "absent: openstack-disk"},
	{name: "metadata", kind: argAny, empty: true, doc: "object, or its JSON text; tags and affinity have a meaning"},
	{name: "side_channels", kind: argList, texts: true, doc: "names of virtio-serial ports; absent: sf-agent, empty: none"},
	{name: "dry_run", kind: argBool, doc: "only say where it would go, as a DryRun; nothing is made. Absent: false"},
}

// createInstance turns the request into a spec; what the spec may say is the manager's to judge.
func (s *server) createInstance(c *call) (any, error) {
	owner, err := s.target(c)
	if err != nil {
		return nil, err
	}
	spec := instance.Spec{
		Name: c.args.text("name"), Namespace: owner, CPUs: c.args.integer("cpus", 0), MemoryMiB: c.args.integer("memory", 0),
		SSHKey: c.args.text("ssh_key"), UserData: c.args.text("user_data"), PlacedOn: c.args.text("placed_on"),
		UEFI: c.args.flag("uefi", false), SecureBoot: c.args.flag("secure_boot", false), ConfigDrive: c.args.text("configdrive"),
		NVRAMTemplate: c.args.text("nvram_template"), Caller: c.namespace,
	}
	if err := fillSpec(&spec, c.args); err != nil {
		return nil, err
	}
	if c.args.flag("dry_run", false) {
		return s.tryInstance(c, spec)
	}
	i, err := s.cloud.Instances.Create(c.Context(), spec)
	if err != nil {
		return nil, err
	}
	return s.instanceFor(c, i), nil
}

// tryInstance answers with the scheduler's verdicts. They tell a tenant no more than the error of a create without room.
func (s *server) tryInstance(c *call, spec instance.Spec) (any, error) {
	d, err := s.cloud.Instances.DryRun(c.Context(), spec)
	if err != nil {
		return nil, err
	}
	v := api.DryRun{Node: optional(d.Node), Verdicts: make(api.List[api.Verdict], len(d.Verdicts))}
	for n, of := range d.Verdicts {
		v.Verdicts[n] = api.Verdict{Node: of.Node, Fits: of.Fits(), Reason: of.String()}
	}
	return v, nil
}

// fillSpec decodes the arguments that are lists and objects.
func fillSpec(spec *instance.Spec, a args) (err error) {
	if spec.Disks, err = diskRequests(a.list("disk")); err != nil {
		return err
	}
	if spec.Networks, err = networkRequests(a.list("network")); err != nil {
		return err
	}
	if spec.Video, err = videoRequest(a.object("video")); err != nil {
		return err
	}
	if spec.Metadata, err = metadataRequest(a["metadata"]); err != nil {
		return err
	}
	spec.SideChannels, err = channelRequest(a)
	return err
}

var diskArgs = []arg{
	{name: "size", kind: argInt, empty: true, doc: "GiB; absent: the size of the base"},
	{name: "base", kind: argText, empty: true, doc: "URL of an image, shorthand, label:NAME or sf://…; absent or none: a blank disk"},
	{
		name: "bus", kind: argText, empty: true, among: []string{"virtio", "sata", "scsi", "usb", "nvme", "ide"},
		doc: "ide is for BIOS only; absent: the cloud's default",
	},
	{name: "type", kind: argText, empty: true, among: []string{"disk", "cdrom"}, doc: "absent: disk"},
	{name: "blob_uuid", kind: argIgnored}, // of a view that is sent back
	{name: "disk_base", kind: argIgnored},
}

func diskRequests(list []any) ([]instance.DiskSpec, error) {
	var disks []instance.DiskSpec
	for n, entry := range list {
		a, err := decodeEntry("disk", n, entry, diskArgs)
		if err != nil {
			return nil, err
		}
		disks = append(disks, instance.DiskSpec{
			SizeGiB: a.integer("size", 0), Base: a.text("base"), Bus: a.text("bus"), Type: a.text("type"),
		})
	}
	return disks, nil
}

var networkArgs = []arg{
	{name: "network_uuid", kind: argText, must: true, doc: "UUID or name of the network"},
	{name: "address", kind: argAny, doc: "IPv4; absent or empty: a free one, none or null: no address"},
	{name: "macaddress", kind: argText, empty: true, doc: "absent: a generated one"},
	{
		name: "model", kind: argText, empty: true, doc: "absent: virtio",
		among: []string{"virtio", "i82551", "i82557b", "i82559er", "ne2k_pci", "pcnet", "rtl8139", "e1000"},
	},
	{name: "float", kind: argBool, doc: "not supported yet"},
}

func networkRequests(list []any) ([]network.Request, error) {
	var requests []network.Request
	for n, entry := range list {
		a, err := decodeEntry("network", n, entry, networkArgs)
		if err != nil {
			return nil, err
		}
		if a.flag("float", false) {
			return nil, invalid("%s: float: floating addresses are not supported by this version", fieldName("network", n))
		}
		r := network.Request{Network: a.text("network_uuid"), MAC: a.text("macaddress"), Model: a.text("model")}
		// Here null differs from absent: it asks for an interface without address.
		object, _ := entry.(map[string]any)
		address, given := object["address"]
		text, isText := address.(string)
		switch {
		case given && address == nil, strings.EqualFold(text, "none"):
			r.NoAddress = true
		case given && !isText:
			return nil, invalid("%s: address is not a string", fieldName("network", n))
		default:
			r.Address = text
		}
		requests = append(requests, r)
	}
	return requests, nil
}

func decodeEntry(list string, n int, entry any, known []arg) (args, error) {
	object, ok := entry.(map[string]any)
	if !ok {
		return nil, invalid("%s is not an object", fieldName(list, n))
	}
	return decode(fieldName(list, n), object, known)
}

var videoArgs = []arg{
	{name: "model", kind: argText, empty: true, among: []string{"cirrus", "vga", "qxl", "virtio"}, doc: "empty: cirrus"},
	{name: "memory", kind: argInt, empty: true, doc: "KiB; 0: 16384"},
	{name: "vdi", kind: argText, empty: true, among: []string{"vnc", "spice", "spiceconcurrent"}, doc: "absent: spice"},
}

func videoRequest(object map[string]any) (instance.Video, error) {
	if object == nil {
		return instance.Video{}, nil
	}
	for _, name := range []string{"model", "memory"} {
		if object[name] == nil {
			return instance.Video{}, invalid("video specification requires %q", name)
		}
	}
	a, err := decode("video", object, videoArgs)
	if err != nil {
		return instance.Video{}, err
	}
	return instance.Video{Model: a.text("model"), MemoryKiB: a.integer("memory", 0), VDI: a.text("vdi")}, nil
}

// metadataRequest takes an object or, from old clients, its JSON text.
func metadataRequest(v any) (map[string]any, error) {
	if text, ok := v.(string); ok {
		v, _ = parse([]byte(text))
	} else if v == nil {
		return nil, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New("server.createInstance", fault.Invalid, "", "metadata is not an object")
	}
	return object, nil
}

// channelRequest tells an absent list, which means the default, from an empty one, which means none.
func channelRequest(a args) ([]string, error) {
	if !a.has("side_channels") {
		return nil, nil
	}
	channels := []string{}
	for n, v := range a.list("side_channels") {
		name, ok := v.(string)
		if !ok {
			return nil, invalid("%s is not a string", fieldName("side_channels", n))
		}
		channels = append(channels, name)
	}
	return channels, nil
}
