package daemon

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
)

// keyPrefix begins the names of all settings, in the environment and in the file.
const keyPrefix = "SHAKENFIST_"

// config is what an operator may set. One machine needs none of it.
type config struct {
	APIPort      int    `env:"API_PORT" envDefault:"13000"`        // TCP port of the REST API
	TokenMinutes int    `env:"API_TOKEN_DURATION" envDefault:"15"` // minutes that a login lasts
	Secret       string `env:"AUTH_SECRET_SEED"`                   // signs logins, 16 characters or more, the same on every node; unset: made once and kept in the state store
	SecretFile   string `env:"AUTH_SECRET_SEED_FILE,file"`         // the same, read from the file of this name

	Zone        string `env:"ZONE" envDefault:"shakenfist"`              // availability zone, issuer of logins, end of guests' domain names
	NodeName    string `env:"NODE_NAME"`                                 // of this node, for ever; unset: the host name
	StoragePath string `env:"STORAGE_PATH" envDefault:"/srv/shakenfist"` // everything the daemon keeps lies below

	EtcdHost      string   `env:"ETCD_HOST"`      // host of an etcd server to use, port 2379; unset: one inside this process
	EtcdEndpoints []string `env:"ETCD_ENDPOINTS"` // the same for several, http://host:port separated by commas

	IsHypervisor  bool `env:"NODE_IS_HYPERVISOR" envDefault:"true"`   // runs guests
	IsNetworkNode bool `env:"NODE_IS_NETWORK_NODE" envDefault:"true"` // holds gateways of networks

	MeshNIC   string `env:"NODE_MESH_NIC"`                              // interface that carries VXLAN, lo for a node that is alone; unset: that of the default route
	MaxMTU    int    `env:"MAX_HYPERVISOR_MTU" envDefault:"8000"`       // bytes; of the mesh, tenant networks get 50 less
	DNSServer string `env:"DNS_SERVER" envDefault:"8.8.8.8"`            // offered to guests; several are separated by commas
	Halo      int    `env:"IP_DELETION_HALO_DURATION" envDefault:"300"` // seconds that a released address rests

	Accelerator string `env:"ACCELERATOR" envDefault:"auto"`                                 // kvm, qemu (emulation), or auto: kvm if a guest boots with it
	LibvirtURI  string `env:"LIBVIRT_URI" envDefault:"qemu:///system"`                       // of the libvirt that runs guests
	SpiceCACert string `env:"SPICE_CA_CERT" envDefault:"/etc/pki/libvirt-spice/ca-cert.pem"` // file of the certificates, in PEM, by which clients verify consoles; it need not be there
	DiskBus     string `env:"DISK_BUS" envDefault:"virtio"`                                  // of disks whose request names none

	CPUOvercommit  float64 `env:"CPU_OVERCOMMIT_RATIO" envDefault:"16"`                               // vCPUs per thread of the host
	RAMOvercommit  float64 `env:"RAM_OVERCOMMIT_RATIO" envDefault:"3"`                                // guests' memory per memory of the host
	RAMReserve     float64 `env:"RAM_SYSTEM_RESERVATION" envDefault:"2"`                              // GiB kept for the host
	DiskOvercommit float64 `env:"DISK_OVERCOMMIT_RATIO" envDefault:"10"`                              // virtual sizes per size of the disk
	MinFreeDisk    float64 `env:"MINIMUM_FREE_DISK" envDefault:"-1"`                                  // GiB kept free; negative: 20 or a tenth, whichever is less
	Linger         int     `env:"CLEANER_DELAY" envDefault:"3600"`                                    // seconds that a deleted object can still be read
	AuditAge       int     `env:"MAX_AUDIT_EVENT_AGE" envDefault:"7776000"`                           // seconds that events of type audit are kept; -1: for ever
	MutateAge      int     `env:"MAX_MUTATE_EVENT_AGE" envDefault:"7776000"`                          // the same for mutate
	StatusAge      int     `env:"MAX_STATUS_EVENT_AGE" envDefault:"604800"`                           // the same for status
	UsageAge       int     `env:"MAX_USAGE_EVENT_AGE" envDefault:"2592000"`                           // the same for usage
	ResourcesAge   int     `env:"MAX_RESOURCES_EVENT_AGE" envDefault:"604800"`                        // the same for resources
	PruneAge       int     `env:"MAX_PRUNE_EVENT_AGE" envDefault:"2592000"`                           // the same for prune
	HistoricAge    int     `env:"MAX_HISTORIC_EVENT_AGE" envDefault:"7776000"`                        // the same for historic
	EventBudget    int     `env:"EVENT_DISK_BUDGET" envDefault:"1073741824"`                          // bytes of disk that events may take; what is least worth keeping goes first
	MaxTransfer    int     `env:"MAX_IMAGE_TRANSFER_SECONDS" envDefault:"1800"`                       // seconds that fetching an image, or copying a disk, may take in all
	MaxImage       float64 `env:"IMAGE_MAX_SIZE" envDefault:"256"`                                    // GiB of the largest image that is fetched or uploaded, unpacked if it comes packed
	MaxVirtual     float64 `env:"IMAGE_MAX_VIRTUAL_SIZE" envDefault:"16384"`                          // GiB that a guest may see of an image
	MaxVersions    int     `env:"ARTIFACT_MAX_VERSIONS_DEFAULT" envDefault:"3"`                       // versions that a new artifact keeps
	UploadIdle     int     `env:"UPLOAD_MAXIMUM_IDLE_TIME" envDefault:"86400"`                        // seconds after which an upload expires that nobody adds to
	CacheIdle      int     `env:"BLOB_TRANSCODE_MAXIMUM_IDLE_TIME" envDefault:"86400"`                // seconds that the bootable form of an image stays when no instance uses it
	VerifyEvery    int     `env:"CHECKSUM_VERIFICATION_FREQUENCY" envDefault:"86400"`                 // seconds between two comparisons of what the disk has of a blob with its checksum; 0 means never
	Compress       bool    `env:"COMPRESS_SNAPSHOTS" envDefault:"true"`                               // snapshots are compressed
	ThinSnapshots  bool    `env:"SNAPSHOTS_DEFAULT_TO_THIN" envDefault:"false"`                       // snapshots that don't say otherwise have only what the guest itself wrote
	ImageURL       string  `env:"IMAGE_DOWNLOAD_URL" envDefault:"https://images.shakenfist.com"`      // where debian:12 and its like are
	CirrosURL      string  `env:"DOWNLOAD_URL_CIRROS" envDefault:"https://download.cirros-cloud.net"` // where the listing of CirrOS releases is, and below it cirros:0.6.3 and its like
	Proxy          string  `env:"HTTP_PROXY_SERVER"`                                                  // http://host:port, asked in place of images' sources; unset: none
	NoProxy        string  `env:"NO_PROXY"`                                                           // names, with those below them, addresses and CIDRs that are asked without the proxy, separated by commas; loopback always is
	SourceDeny     string  `env:"IMAGE_SOURCE_DENY"`                                                  // from where no image may come, besides link-local addresses, the cloud's own, those of its machines among each other and those of a namespace's networks: CIDRs, addresses, address:port or ports, separated by commas
	SourceAllow    string  `env:"IMAGE_SOURCE_ALLOW"`                                                 // the same for what is allowed nevertheless; this wins over everything
}

// clientKeys are settings of the command line client, which is often used in the same environment.
var clientKeys = []string{"NAMESPACE", "KEY", "API_URL", "ASYNC", "CONFIG"}

// loadConfig reads the settings from values, and says which keys among them mean nothing. The error tells of everything
// that is wrong, not only of the first.
func loadConfig(values map[string]string) (config, []string, error) {
	var c config
	options := env.Options{Prefix: keyPrefix, Environment: values}
	params, err := env.GetFieldParamsWithOptions(&c, options)
	if err != nil {
		return c, nil, err
	}
	known := map[string]bool{}
	for _, p := range params {
		known[p.Key] = true
	}
	for _, k := range clientKeys {
		known[keyPrefix+k] = true
	}
	var unknown []string
	for k := range values {
		if !known[k] {
			unknown = append(unknown, k)
		}
	}
	slices.Sort(unknown)
	problems := readable(env.ParseWithOptions(&c, options))
	c.Secret, c.SecretFile = strings.TrimSpace(c.Secret), strings.TrimSpace(c.SecretFile)
	problems = append(problems, c.check(problems)...)
	if c.Secret == "" {
		c.Secret = c.SecretFile
	}
	if c.NodeName == "" {
		if c.NodeName, err = os.Hostname(); err != nil {
			problems = append(problems, fmt.Errorf("%sNODE_NAME: the host has no name (%w); set one", keyPrefix, err))
		}
	}
	return c, unknown, errors.Join(problems...)
}

// readable names the setting, and not the field of a struct, in each error of package env.
func readable(err error) []error {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{err}
	}
	var list []error
	for _, e := range all.Errors {
		if p, ok := errors.AsType[env.ParseError](e); ok {
			field, _ := reflect.TypeFor[config]().FieldByName(p.Name)
			name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
			e = fmt.Errorf("%s%s: %w; it must be %s", keyPrefix, name, unwrapped(p.Err), kinds[p.Type.String()])
		}
		list = append(list, e)
	}
	return list
}

// unwrapped leaves out which function of the standard library refused the value.
func unwrapped(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// kinds are what values of a Go type are for somebody who writes a configuration.
var kinds = map[string]string{"int": "a whole number", "bool": "true or false", "float64": "a number"}

// check says which values make no sense. A value that could not even be read is not looked at again.
func (c *config) check(unread []error) []error {
	var wrong []error
	for _, p := range slices.Concat(c.checkNumbers(), c.checkWords()) {
		key := keyPrefix + p.name
		if !slices.ContainsFunc(unread, func(e error) bool { return strings.HasPrefix(e.Error(), key+":") }) {
			wrong = append(wrong, fmt.Errorf("%s: %s", key, p.text))
		}
	}
	return wrong
}

// problem is what is wrong with the setting of that name.
type problem struct{ name, text string }

func (c *config) checkNumbers() []problem {
	var wrong []problem
	for _, n := range []struct {
		name        string
		value       float64
		least, most float64
	}{
		{"API_PORT", float64(c.APIPort), 1, 65535},
		{"API_TOKEN_DURATION", float64(c.TokenMinutes), 1, 60 * 24 * 365},
		{"MAX_HYPERVISOR_MTU", float64(c.MaxMTU), 576 + 50, 65535},
		{"IP_DELETION_HALO_DURATION", float64(c.Halo), 0, math.MaxInt32},
		{"CLEANER_DELAY", float64(c.Linger), 1, math.MaxInt32},
		{"MAX_IMAGE_TRANSFER_SECONDS", float64(c.MaxTransfer), 1, math.MaxInt32},
		{"ARTIFACT_MAX_VERSIONS_DEFAULT", float64(c.MaxVersions), 1, 100},
		{"UPLOAD_MAXIMUM_IDLE_TIME", float64(c.UploadIdle), 60, math.MaxInt32},
		{"BLOB_TRANSCODE_MAXIMUM_IDLE_TIME", float64(c.CacheIdle), 1, math.MaxInt32},
		{"CHECKSUM_VERIFICATION_FREQUENCY", float64(c.VerifyEvery), 0, math.MaxInt32},
		{"EVENT_DISK_BUDGET", float64(c.EventBudget), 16 << 20, 1 << 50},
		{"CPU_OVERCOMMIT_RATIO", c.CPUOvercommit, 0.001, 1e6},
		{"RAM_OVERCOMMIT_RATIO", c.RAMOvercommit, 0.001, 1e6},
		{"DISK_OVERCOMMIT_RATIO", c.DiskOvercommit, 0.001, 1e6},
		{"RAM_SYSTEM_RESERVATION", c.RAMReserve, 0, 1 << 20},
		{"MINIMUM_FREE_DISK", c.MinFreeDisk, -1 << 20, 1 << 20},
		{"IMAGE_MAX_SIZE", c.MaxImage, 0.001, 1 << 20},
		{"IMAGE_MAX_VIRTUAL_SIZE", c.MaxVirtual, 0.001, 16 << 10},
	} {
		if !(n.value >= n.least && n.value <= n.most) { // what is not a number is neither
			wrong = append(wrong, problem{n.name, fmt.Sprintf("%v is out of range; use %v to %v", n.value, n.least, n.most)})
		}
	}
	for _, t := range slices.Sorted(maps.Keys(c.eventAges())) {
		if age := c.eventAges()[t]; age != -time.Second && age <= 0 || age > seconds(math.MaxInt32) {
			name := "MAX_" + strings.ToUpper(string(t)) + "_EVENT_AGE"
			wrong = append(wrong, problem{name, fmt.Sprintf("%.0f is out of range; use 1 to %d, or -1 for ever", age.Seconds(), math.MaxInt32)})
		}
	}
	return wrong
}

var zoneName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

func (c *config) checkWords() []problem {
	var wrong []problem
	if !slices.Contains([]string{"auto", "kvm", "qemu"}, c.Accelerator) {
		wrong = append(wrong, problem{"ACCELERATOR", fmt.Sprintf("%q is not known; use auto, kvm or qemu", c.Accelerator)})
	}
	if !slices.Contains([]string{"virtio", "sata", "scsi", "usb", "nvme", "ide"}, c.DiskBus) {
		wrong = append(wrong, problem{"DISK_BUS", fmt.Sprintf("%q is not known; use virtio, sata, scsi, usb, nvme or ide", c.DiskBus)})
	}
	if !zoneName.MatchString(c.Zone) {
		wrong = append(wrong, problem{"ZONE", fmt.Sprintf("%q is not a name; use lower-case letters, digits, hyphens and dots", c.Zone)})
	}
	if _, err := artifact.ParseRanges(c.SourceDeny); err != nil {
		wrong = append(wrong, problem{"IMAGE_SOURCE_DENY", fault.Text(err)})
	}
	if _, err := artifact.ParseRanges(c.SourceAllow); err != nil {
		wrong = append(wrong, problem{"IMAGE_SOURCE_ALLOW", fault.Text(err)})
	}
	if _, err := artifact.ParseProxy(c.Proxy, c.NoProxy); err != nil {
		wrong = append(wrong, problem{"HTTP_PROXY_SERVER", fault.Text(err)})
	}
	if c.Secret != "" && c.SecretFile != "" {
		wrong = append(wrong, problem{"AUTH_SECRET_SEED", "set either this or " + keyPrefix + "AUTH_SECRET_SEED_FILE"})
	} else if secret := c.Secret + c.SecretFile; secret != "" && len(secret) < 16 {
		wrong = append(wrong, problem{"AUTH_SECRET_SEED", "it has less than 16 characters; use a long random one"})
	}
	if _, err := c.dnsServers(); err != nil {
		wrong = append(wrong, problem{"DNS_SERVER", err.Error() + "; use IPv4 addresses separated by commas"})
	}
	return wrong
}

// eventAges are how long events of each type are kept; less than 0 means for ever.
func (c *config) eventAges() map[event.Type]time.Duration {
	return map[event.Type]time.Duration{
		event.Audit: seconds(c.AuditAge), event.Mutate: seconds(c.MutateAge), event.Status: seconds(c.StatusAge),
		event.Usage: seconds(c.UsageAge), event.Resources: seconds(c.ResourcesAge), event.Prune: seconds(c.PruneAge),
		event.Historic: seconds(c.HistoricAge),
	}
}

func (c *config) dnsServers() ([]netip.Addr, error) {
	var servers []netip.Addr
	for s := range strings.SplitSeq(c.DNSServer, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		a, err := netip.ParseAddr(s)
		if err != nil || !a.Is4() {
			return nil, fmt.Errorf("%q is not an IPv4 address", s)
		}
		servers = append(servers, a)
	}
	return servers, nil
}

// endpoints are the etcd servers to use; none means the one inside this process.
func (c *config) endpoints() []string {
	if len(c.EtcdEndpoints) == 0 && c.EtcdHost != "" {
		return []string{"http://" + c.EtcdHost + ":2379"}
	}
	return c.EtcdEndpoints
}
