//go:build linux

package netlinknet

import (
	"context"
	"hash/fnv"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// Options says how networks are made on this node.
type Options struct {
	StateDir string // required: absolute path of a folder of this node's own, which dnsmasq's user can traverse
	Owner    string // required: the cloud's id, 1 to 64 of a-z, 0-9, '.', '_' and '-'

	// MeshNIC is the interface that carries VXLAN. "" is that of the default route; if there is none, or if it is "lo",
	// this node is alone.
	MeshNIC string
	MaxMTU  int          // bytes; the largest frame that the mesh is to carry, VXLAN's 50 included; 0 means 8000
	DNSMasq string       // path of dnsmasq; "" looks in PATH
	Logger  *slog.Logger // nil discards
}

const (
	defaultMaxMTU = 8000
	aloneMTU      = 1500 // what a node that is alone takes as the mesh's MTU: Ethernet's, which every guest expects
	overhead      = 50   // bytes of VXLAN over IPv4 in a frame: outer IP 20, UDP 8, VXLAN 8, inner Ethernet 14
	vxlanPort     = 4789 // IANA's
)

// Driver makes networks on this node. It implements netdriver.Driver.
type Driver struct {
	opts  Options
	log   *slog.Logger
	host  *host  // the network namespace of this process
	group uint32 // of our links; see mark.go
	locks locks  // by UUID: calls for one network take turns

	mesh struct {
		sync.Mutex
		name string     // "" if alone
		ip   netip.Addr // as last seen; guarded by Mutex
	}
	runNetns sync.Mutex // held while /run/netns is prepared
}

var owners = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

var _ netdriver.Driver = (*Driver)(nil)

// Open returns the driver of this node, in the network namespace of this process. One process at a time has a state folder. It removes what a cut-off call left
// that belongs to no network yet, and changes nothing else. It fails with fault.Invalid if the options make no sense here.
func Open(ctx context.Context, o Options) (*Driver, error) {
	const op = "netlinknet.Open"
	if o.MaxMTU == 0 {
		o.MaxMTU = defaultMaxMTU
	}
	if o.MaxMTU < netdriver.MinMTU+overhead {
		return nil, fault.New(op, fault.Invalid, "", "MaxMTU is %d bytes; it must be at least %d", o.MaxMTU, netdriver.MinMTU+overhead)
	}
	if !owners.MatchString(o.Owner) {
		return nil, fault.New(op, fault.Invalid, "", "owner %q must be 1 to 64 of a-z, 0-9, '.', '_' and '-'", o.Owner)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.DNSMasq == "" {
		o.DNSMasq, _ = exec.LookPath("dnsmasq") // only a gateway needs it, and says so
	}
	d := &Driver{opts: o, log: o.Logger, group: groupOf(o.Owner)}
	var err error
	if d.host, err = openHost(); err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	if err := d.prepare(ctx); err != nil {
		d.Close()
		return nil, fault.Wrap(op, "", err)
	}
	return d, nil
}

// prepare finds the mesh, makes the state folder and removes what was never finished.
func (d *Driver) prepare(ctx context.Context) error {
	if err := d.prepareState(); err != nil {
		return err
	}
	if err := d.findMesh(); err != nil {
		return err
	}
	info, err := d.Info(ctx)
	if err != nil {
		return err
	}
	if info.MeshNIC == "" {
		d.log.WarnContext(ctx, "no mesh interface: tenant networks of this node reach no other node", slog.Int("mtu", info.MTU))
	} else {
		d.log.InfoContext(ctx, "mesh", slog.String("nic", info.MeshNIC), slog.String("ip", info.MeshIP.String()),
			slog.Int("mtu", info.MTU))
	}
	return d.sweep(ctx)
}

// Close releases what the driver holds of the kernel. Networks stay as they are. The driver must not be used any more.
func (d *Driver) Close() { d.host.close() }

// prepareState makes the folder of folders, and makes sure that dnsmasq's user, who is not root, can reach it.
func (d *Driver) prepareState() error {
	const op = "netlinknet.prepareState"
	if !filepath.IsAbs(d.opts.StateDir) {
		return fault.New(op, fault.Invalid, "", "state directory %q is no absolute path", d.opts.StateDir)
	}
	if err := os.MkdirAll(d.dir(""), 0o755); err != nil { //nolint:gosec // dnsmasq's user reads below it
		return fault.Because(op, fault.Invalid, "", err, "cannot make the state directory")
	}
	for dir := d.opts.StateDir; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fault.Because(op, fault.Internal, "", err, "cannot look at the state directory")
		}
		if info.Mode()&0o001 == 0 {
			return fault.New(op, fault.Invalid, "", "dnsmasq, which is not root, cannot reach the state directory %s: chmod o+x %s",
				d.opts.StateDir, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// sweep removes links and folders that a cut-off call left before they were marked.
func (d *Driver) sweep(ctx context.Context) error {
	links, err := retry(d.host.LinkList)
	if err != nil {
		return d.failed("list links", "", err)
	}
	for _, l := range links {
		if _, ours := vxlanOf(l.Attrs().Name); !ours || !d.unmarked(l) {
			continue
		}
		err := d.change(ctx, netdriver.ID{}, "delete link", l.Attrs().Name, func() error { return gone(d.host.LinkDel(l)) })
		if err != nil {
			return err
		}
	}
	return d.sweepState(ctx)
}

// unmarked reports whether l is a link that a cut-off call of ours made and did not mark yet.
func (d *Driver) unmarked(l netlink.Link) bool {
	a := l.Attrs()
	return a.Alias == "" && a.Group == d.group
}

// groupOf returns the link group of an owner. It never is one that people use by hand, which are small numbers.
func groupOf(owner string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte("shakenfist " + owner))
	return h.Sum32()&^(1<<31) | 1<<30
}

// failed explains why something could not be done to an object of the host.
func (d *Driver) failed(what, object string, err error) error {
	op, done := "netlinknet", what
	if object != "" {
		done += " " + object
	}
	switch {
	case isErrno(err, unix.EPERM, unix.EACCES):
		return fault.Because(op, fault.Invalid, "", err, "may not %s; run this as root (CAP_NET_ADMIN and CAP_SYS_ADMIN)", done)
	case isErrno(err, unix.EOPNOTSUPP, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT):
		return fault.Because(op, fault.Invalid, "", err, "the kernel cannot %s; load what it lacks: modprobe -a bridge vxlan veth", done)
	case isErrno(err, unix.EEXIST):
		return fault.Because(op, fault.Conflict, "", err, "cannot %s: something else has that name or VXLAN id; see ip -d link", done)
	case isErrno(err, unix.ENODEV, unix.ENOENT, unix.EBUSY, unix.ENOMEM, unix.ENOBUFS, unix.EAGAIN, unix.EINTR, unix.ENETDOWN,
		unix.EMFILE, unix.ENFILE, unix.ENOSPC):
		return fault.Because(op, fault.Unavailable, "", err, "cannot %s now", done)
	}
	return fault.Because(op, fault.Internal, "", err, "cannot %s", done)
}
