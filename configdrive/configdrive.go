// Package configdrive makes the read-only disk from which a guest learns who it is: an ISO 9660 volume labelled
// "config-2" in the layout of OpenStack's config drive, as cloud-init, ignition and cloudbase-init read it.
//
// Build is a pure function: the same Drive gives the same bytes, and nothing but the writer is touched.
package configdrive

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/netip"
	"slices"

	"github.com/shakenfist/shakenfist/fault"
)

const opBuild = "configdrive.Build"

// Label is the name of the volume, by which guests find it.
const Label = "config-2"

// noUserData stands in for user data that nobody gave: an empty cloud-config, since cloud-init complains about an empty
// file.
const noUserData = "#cloud-config\n"

// Drive is what a guest is told.
type Drive struct {
	UUID       string      // of the instance, lower case
	Name       string      // of the instance, a DNS label
	Zone       string      // availability zone
	SSHKey     string      // public keys for the default user, one a line; "" for none
	UserData   []byte      // decoded, at most MaxUserData bytes; none means an empty cloud-config
	Seed       []byte      // random bytes for the guest's entropy pool, 1 to MaxSeed of them
	Interfaces []Interface // at most MaxInterfaces, in any order
	Resolvers  []Resolver  // DNS servers, the first preferred
}

// Interface is one network interface of the guest.
type Interface struct {
	ID        string       // UUID of the interface
	NetworkID string       // UUID of its network
	Order     int          // its place among the interfaces, from 0
	MAC       string       // lower case, colons
	MTU       int          // bytes
	Address   netip.Prefix // with the length of the network's block; the zero value if it has none
	Gateway   netip.Addr   // within Address; the zero value if the network has no way out
}

// Resolver is a DNS server.
type Resolver struct {
	Address netip.Addr
	Search  []string // domains in which short names are looked up
}

// Build writes the drive d to w.
//
// An interface without an address is a link that no network uses. The default route goes by the first interface, in
// their order, that has an address and a gateway; one for each address family.
//
// It fails with fault.Invalid, naming the field, if a guest could not use what d says, and with fault.Internal if w
// does not take all of it.
func Build(w io.Writer, d Drive) error {
	d.Interfaces = slices.Clone(d.Interfaces)
	slices.SortStableFunc(d.Interfaces, func(a, b Interface) int { return cmp.Compare(a.Order, b.Order) })
	if err := d.check(); err != nil {
		return err
	}
	files, err := d.files()
	if err != nil {
		return fault.Because(opBuild, fault.Internal, d.UUID, err, "the config drive cannot be encoded")
	}
	image, err := volume(Label, files)
	if err != nil {
		return fault.Because(opBuild, fault.Internal, d.UUID, err, "the config drive cannot be laid out")
	}
	if _, err := w.Write(image); err != nil {
		return fault.Because(opBuild, fault.Internal, d.UUID, err, "the config drive cannot be written")
	}
	return nil
}

// files returns what each version's folder holds, ascending by name.
func (d Drive) files() ([]file, error) {
	meta, err := encode(d.metaData())
	if err != nil {
		return nil, err
	}
	network, err := encode(d.networkData())
	if err != nil {
		return nil, err
	}
	user := d.UserData
	if len(user) == 0 {
		user = []byte(noUserData)
	}
	return []file{
		{"meta_data.json", meta},
		{"network_data.json", network},
		{"user_data", user},
		{"vendor_data.json", []byte("{}\n")},
		{"vendor_data2.json", []byte("{}\n")},
	}, nil
}

// metaData is the content of meta_data.json. A nil pointer is a null, which readers expect to find.
type metaData struct {
	RandomSeed       string            `json:"random_seed"`
	UUID             string            `json:"uuid"`
	AvailabilityZone string            `json:"availability_zone"`
	Hostname         string            `json:"hostname"`
	LaunchIndex      int               `json:"launch_index"`
	Devices          []string          `json:"devices"`
	ProjectID        *string           `json:"project_id"`
	Name             string            `json:"name"`
	PublicKeys       map[string]string `json:"public_keys,omitempty"`
}

func (d Drive) metaData() metaData {
	m := metaData{
		RandomSeed:       base64.StdEncoding.EncodeToString(d.Seed),
		UUID:             d.UUID,
		AvailabilityZone: d.Zone,
		Hostname:         d.Name + ".local",
		Devices:          []string{},
		Name:             d.Name,
	}
	if d.SSHKey != "" {
		m.PublicKeys = map[string]string{"mykey": d.SSHKey}
	}
	return m
}

// encode returns v as JSON for people to read too.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
