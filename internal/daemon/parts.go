package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/artifact"
	"github.com/shakenfist/shakenfist/blob"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor/libvirthv"
	"github.com/shakenfist/shakenfist/instance/hypervisor/simhv"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/network/netdriver/netlinknet"
	"github.com/shakenfist/shakenfist/network/netdriver/simnet"
	"github.com/shakenfist/shakenfist/scheduler"
	"github.com/shakenfist/shakenfist/store"
	"github.com/shakenfist/shakenfist/store/etcdstore"
	"github.com/shakenfist/shakenfist/store/memstore"
)

// parts are what a cloud is made of.
type parts struct {
	state      shakenfist.StateStore
	counter    store.Counter
	hypervisor shakenfist.Hypervisor
	network    shakenfist.NetworkDriver
	simulated  bool
	keyName    string         // of the operator's key on this machine
	closers    []func() error // in the order in which the parts were opened
}

// close closes the parts, the last one first.
func (p *parts) close() error {
	var all []error
	for _, c := range slices.Backward(p.closers) {
		all = append(all, c())
	}
	return errors.Join(all...)
}

// openParts opens real drivers, or simulations. It is an opener.
func openParts(ctx context.Context, log *slog.Logger, f flags, c config, dir string) (*parts, error) {
	if f.simulate {
		return simulatedParts(), nil
	}
	p := &parts{keyName: "deploy"}
	err := p.openState(ctx, log, c, dir)
	if err == nil {
		err = p.openDrivers(ctx, log, c, dir)
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func simulatedParts() *parts {
	state, net := memstore.New(), simnet.New()
	return &parts{
		state: state, counter: state, hypervisor: simhv.New(simhv.Options{Switch: net}), network: net,
		simulated: true, keyName: "deploy",
	}
}

// starting bounds how long the embedded state store may take to read what it has.
const starting = time.Minute

// openState opens the state store. The embedded one also keeps a second daemon off the directory.
func (p *parts) openState(ctx context.Context, log *slog.Logger, c config, dir string) error {
	var s *etcdstore.Store
	var err error
	if endpoints := c.endpoints(); len(endpoints) > 0 {
		p.keyName = "deploy-" + c.NodeName // other machines have their own
		s, err = etcdstore.Dial(ctx, etcdstore.DialOptions{Endpoints: endpoints, Logger: log})
	} else {
		bounded, cancel := context.WithTimeout(ctx, starting)
		defer cancel()
		s, err = etcdstore.Embedded(bounded, etcdstore.Options{Dir: filepath.Join(dir, "etcd"), Logger: log})
	}
	if err != nil {
		return err
	}
	p.state, p.counter = s, s
	p.closers = append(p.closers, s.Close)
	return nil
}

func (p *parts) openDrivers(ctx context.Context, log *slog.Logger, c config, dir string) error {
	id, err := cloudID(ctx, p.state)
	if err != nil {
		return err
	}
	hv, err := libvirthv.Open(ctx, libvirthv.Options{
		URI: c.LibvirtURI, Owner: id, Node: c.NodeName, Accelerator: c.Accelerator, StorageDir: dir, Logger: log,
		MinFree: c.limits().MinimumFreeDiskBytes,
	})
	if err != nil {
		return err
	}
	p.hypervisor = hv
	p.closers = append(p.closers, hv.Close)
	net, err := netlinknet.Open(ctx, netlinknet.Options{
		StateDir: filepath.Join(dir, "networks"), Owner: id, MeshNIC: c.MeshNIC, MaxMTU: c.MaxMTU, Logger: log,
	})
	if err != nil {
		return err
	}
	p.network = net
	p.closers = append(p.closers, func() error { net.Close(); return nil })
	return nil
}

// cloudIDKey is where the cloud's ID lies in the state store, outside of what managers watch.
const cloudIDKey = "s/cloud-id"

// cloudID returns the ID by which the cloud's drivers recognise what is theirs on a machine. It is made once; of two nodes
// that do so at once, one wins and both use its.
func cloudID(ctx context.Context, s store.Store) (string, error) {
	id := uuid.NewString()
	err := step.Do(ctx, "commit cloud id", "", func() error {
		_, err := s.Commit(ctx, []store.Check{store.Absent(cloudIDKey)}, []store.Op{store.Put(cloudIDKey, []byte(id))})
		return err
	})
	if errors.Is(err, fault.Conflict) {
		var e store.Entry
		e, err = s.Get(ctx, cloudIDKey)
		id = string(e.Value)
	}
	return id, fault.Wrap("daemon.cloudID", "", err)
}

// config describes the cloud, whose API listens at api.
func (p *parts) config(log *slog.Logger, c config, dir string, api net.Addr, hook step.Hook) (shakenfist.Config, error) {
	dns, err := c.dnsServers()
	if err != nil {
		return shakenfist.Config{}, err
	}
	sources, err := c.sources(api)
	if err != nil {
		return shakenfist.Config{}, err
	}
	proxy, err := artifact.ParseProxy(c.Proxy, c.NoProxy)
	if err != nil {
		return shakenfist.Config{}, err
	}
	cloud := shakenfist.Config{
		State: p.state, Hypervisor: p.hypervisor, Network: p.network,
		Node: c.NodeName, Dir: dir, Zone: c.Zone, NotHypervisor: !c.IsHypervisor, NotGateway: !c.IsNetworkNode, HostRoot: "/",
		Secret: []byte(c.Secret), DNSServers: dns, DefaultBus: c.DiskBus, Limits: c.limits(), ImageURL: c.ImageURL, CirrosURL: c.CirrosURL,
		ImageSources: sources, ImageProxy: proxy,
		ImageLimits: blob.Limits{Bytes: gibibytes(c.MaxImage), VirtualBytes: gibibytes(c.MaxVirtual)},
		EventAges:   c.eventAges(), EventBudget: int64(c.EventBudget),
		CacheIdle: seconds(c.CacheIdle), VerifyEvery: seconds(c.VerifyEvery),
		ThinSnapshots: c.ThinSnapshots, UncompressedSnapshots: !c.Compress,
		MaxVersions: c.MaxVersions, UploadIdle: seconds(c.UploadIdle),
		Logger: log, Transfer: seconds(c.MaxTransfer), Halo: seconds(c.Halo), Linger: seconds(c.Linger), Steps: hook,
	}
	if p.simulated {
		cloud.HostRoot = ""                                                // this machine is not the simulated one
		cloud.Limits.MinimumFreeDiskBytes, cloud.Limits.DiskRatio = 0, 1e6 // simulated disks take no room
		cloud.HashCost = bcrypt.MinCost                                    // and what keys open is not worth guessing
	}
	if c.VerifyEvery == 0 {
		cloud.VerifyEvery = -1
	}
	if c.Halo == 0 {
		cloud.Halo = -1
	}
	if c.Secret == "" {
		cloud.Secret = nil
	}
	return cloud, nil
}

// gibibytes are n GiB, in bytes.
func gibibytes(n float64) int64 { return int64(n * (1 << 30)) }

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// limits says how full nodes may get.
func (c *config) limits() scheduler.Limits {
	l := scheduler.Limits{
		CPURatio: c.CPUOvercommit, MemoryRatio: c.RAMOvercommit, MemoryReserveMiB: int64(c.RAMReserve * 1024),
		DiskRatio: c.DiskOvercommit, MinimumFreeDiskBytes: -1,
	}
	if c.MinFreeDisk >= 0 {
		l.MinimumFreeDiskBytes = gibibytes(c.MinFreeDisk)
	}
	return l
}
