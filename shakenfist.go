// Package shakenfist is a whole IaaS cloud.
//
// A program hands New a state store, a hypervisor and a network driver, and has a cloud: virtual machines with config
// drives, tenant networks with DHCP, images by URL, namespaces with keys, a scheduler, events. Run starts it; what a
// caller wants is recorded through the services, which are the Cloud's fields, and loops make the world match.
//
// Simulations of the three seams are in store/memstore, instance/hypervisor/simhv and network/netdriver/simnet; with them
// a cloud needs no privileges, no other process and milliseconds. The drivers for real machines are store/etcdstore,
// instance/hypervisor/libvirthv and network/netdriver/netlinknet. Package server speaks the cloud's REST API.
package shakenfist

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/event"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/internal/machine"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/internal/view"
	"github.com/shakenfist/shakenfist/metadata"
	"github.com/shakenfist/shakenfist/namespace"
	"github.com/shakenfist/shakenfist/network"
	"github.com/shakenfist/shakenfist/network/netdriver"
	"github.com/shakenfist/shakenfist/node"
	"github.com/shakenfist/shakenfist/scheduler"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/upload"
)

// The three seams: bring your own, or use the drivers and simulations that come with this module.
type (
	// StateStore holds the truth of the cloud. It must pass storetest.TestStore.
	StateStore = store.Store
	// Hypervisor runs guests on this node. It must pass hypervisortest.TestDriver.
	Hypervisor = hypervisor.Driver
	// NetworkDriver makes tenant networks on this node. It must pass netdrivertest.TestDriver.
	NetworkDriver = netdriver.Driver
)

// Version is the release of this module.
const Version = "0.9.0"

// Config says what a cloud is made of.
type Config struct {
	State      StateStore    // required
	Hypervisor Hypervisor    // required
	Network    NetworkDriver // required

	Node string // name of this node; "" means the host's name
	Dir  string // absolute path; holds images and disks. "" means a temporary folder that goes when Run returns
	Zone string // availability zone, issuer of tokens, last part of guests' domain names; "" means "shakenfist"

	NotHypervisor bool // this node takes no instances
	NotGateway    bool // this node holds no networks' gateways

	// HostRoot is the root folder of this node's machine, usually "/": proc and sys in it tell how busy it is. "" is for a
	// simulated machine, which is as busy as it has promised to be.
	HostRoot string

	Secret      []byte           // signs tokens, the same on every node; nil keeps a generated one in the store
	DNSServers  []netip.Addr     // offered to guests; nil offers none
	DefaultBus  string           // of disks that name none; "" means "virtio"
	Limits      scheduler.Limits // how full nodes may get; the zero value means scheduler.DefaultLimits
	HashCost    int              // bcrypt cost of keys; 0 means 10
	ImageLimits blob.Limits      // how large images may be; zero values as blob.Limits says
	ImageURL    string           // base of image shorthands such as debian:12; "" means artifact.DefaultImageURL
	CirrosURL   string           // base of the image shorthand cirros; "" means artifact.DefaultCirrosURL

	ImageSources artifact.Sources // where images may come from; Machines and Tenants are this cloud's unless they are given
	ImageProxy   *artifact.Proxy  // asked in place of images' sources; nil: none
	HTTPClient   *http.Client     // downloads images; nil means one of the cloud's own. What is no *http.Transport in it reaches whatever it reaches

	Logger   *slog.Logger  // nil discards
	Resync   time.Duration // how often everything is looked at again; 0 means 30 s
	Patience time.Duration // how long a step may fail for reasons that pass; 0 means 12 s
	Deadline time.Duration // how long building an instance may take altogether; 0 means 35 min
	Transfer time.Duration // how long fetching an image, or copying a disk, may take altogether; 0 means 30 min
	Halo     time.Duration // how long a released address rests; 0 means 5 min, less than 0 not at all
	Linger   time.Duration // how long deleted objects can be read; 0 means 1 h
	LeaseTTL time.Duration // how long a node that fell silent counts as alive; 0 means 10 s
	Report   time.Duration // between samples of what this node has and uses; 0 means 5 min

	MaxVersions int           // that a new artifact keeps; 0 means artifact.DefaultMaxVersions
	UploadIdle  time.Duration // how long nobody may add to an upload before it expires; 0 means upload.DefaultIdle

	CacheIdle   time.Duration // how long a bootable image that no instance uses stays; 0 means blob.DefaultCacheIdle
	VerifyEvery time.Duration // between two looks at all of a blob's copy on this node; 0 means blob.DefaultVerify, less: never

	ThinSnapshots         bool // snapshots that don't say otherwise have only what the guest itself wrote
	UncompressedSnapshots bool // snapshots are not compressed

	EventAges   map[event.Type]time.Duration // how long events are kept; a type that is missing or 0 as in event.DefaultAges, less than 0 for ever
	EventBudget int64                        // bytes that events may take in Dir; 0 means 1 GiB, less than 0 any number
	EventDelay  time.Duration                // how long events wait in the store before they move to files in Dir; 0 means 10 s

	Steps step.Hook // for tests: told of every step that could be the process's last; nil in production
}

// Cloud is a running, or not yet running, cloud. Its fields are its services; they are usable from New on, and wait until
// Run has begun.
type Cloud struct {
	Instances  *instance.Manager
	Networks   *network.Manager
	Artifacts  *artifact.Manager
	Blobs      *blob.Manager
	Uploads    *upload.Manager
	Nodes      *node.Manager
	Namespaces *namespace.Manager
	Metadata   *metadata.Manager
	Events     *event.Recorder

	config    Config
	view      *view.View
	machine   *machine.Reader // nil if it is simulated
	temporary bool            // config.Dir goes when Run returns
	ready     chan struct{}
	once      sync.Once
}

// New puts a cloud together. It starts nothing. It fails with fault.Invalid, naming the field, if a required part is
// missing or a value makes no sense.
func New(c Config) (*Cloud, error) {
	const op = "shakenfist.New"
	switch {
	case c.State == nil:
		return nil, fault.New(op, fault.Invalid, "", "Config.State is required")
	case c.Hypervisor == nil:
		return nil, fault.New(op, fault.Invalid, "", "Config.Hypervisor is required")
	case c.Network == nil:
		return nil, fault.New(op, fault.Invalid, "", "Config.Network is required")
	}
	for t := range c.EventAges {
		if _, err := event.ParseType(string(t)); err != nil {
			return nil, fault.New(op, fault.Invalid, "", "Config.EventAges: %s", fault.Text(err))
		}
	}
	var host *machine.Reader
	if c.HostRoot != "" {
		var err error
		if host, err = machine.Open(c.HostRoot); err != nil {
			return nil, fault.Because(op, fault.Invalid, "", err, "Config.HostRoot: %s", fault.Text(err))
		}
	}
	cloud := &Cloud{machine: host, ready: make(chan struct{}), temporary: c.Dir == ""}
	if err := c.fillIn(); err != nil {
		return nil, err
	}
	cloud.config = c
	cloud.assemble(c)
	return cloud, nil
}

// fillIn replaces zero values by what they mean.
func (c *Config) fillIn() (err error) {
	if c.Node == "" {
		if c.Node, err = os.Hostname(); err != nil {
			return fault.Because("shakenfist.New", fault.Invalid, "", err, "Config.Node is empty and this host has no name")
		}
	}
	if c.Dir == "" {
		if c.Dir, err = os.MkdirTemp("", "shakenfist-"); err != nil {
			return fault.Because("shakenfist.New", fault.Internal, "", err, "Config.Dir is empty and no temporary folder can be made")
		}
	}
	if c.Zone == "" {
		c.Zone = "shakenfist"
	}
	if c.DefaultBus == "" {
		c.DefaultBus = "virtio"
	}
	if c.Limits == (scheduler.Limits{}) {
		c.Limits = scheduler.DefaultLimits()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value  *time.Duration
		preset time.Duration
	}{
		{&c.Resync, 30 * time.Second},
		{&c.Patience, 12 * time.Second},
		{&c.Deadline, 35 * time.Minute},
		{&c.Transfer, 30 * time.Minute},
		{&c.Halo, 5 * time.Minute},
		{&c.Linger, time.Hour},
		{&c.LeaseTTL, 10 * time.Second},
		{&c.Report, 5 * time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.preset
		}
	}
	return nil
}

// Zone returns the cloud's availability zone.
func (c *Cloud) Zone() string { return c.config.Zone }

// Dir returns the folder that holds images and disks.
func (c *Cloud) Dir() string { return c.config.Dir }

// Fresh waits until the services see everything that was committed, by whatever process, before the call. It fails with
// fault.Unavailable while the state store does not answer.
func (c *Cloud) Fresh(ctx context.Context) error { return c.view.Fresh(ctx) }

// Ready waits until the cloud runs: it has read its state and taken its place among the nodes.
func (c *Cloud) Ready(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-ctx.Done():
		return fault.New("shakenfist.Ready", fault.Unavailable, "", "the cloud has not read its state yet; check that Run was called and that the state store answers")
	}
}
