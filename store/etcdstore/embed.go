package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap/zapcore"

	"github.com/shakenfist/shakenfist/fault"
)

// DefaultQuota is how large an embedded store may grow: 2 GiB.
const DefaultQuota = 2 << 30

// SocketName is the socket in an embedded store's directory on which etcd's own tools can be used, for backups above
// all: etcdctl --endpoints unix:///var/lib/sf/etcd.sock snapshot save backup.db. Only the owner may connect to it.
const SocketName = "etcd.sock"

// dataDir is the part of an embedded store's directory that is etcd's, which etcdutl takes as its --data-dir.
const dataDir = "etcd"

// Options say where an embedded store lies and what it may use.
type Options struct {
	Dir     string       // required; made if it is not there; only one process at a time can use it
	Logger  *slog.Logger // gets etcd's warnings and errors; nil discards
	Quota   int64        // bytes on disk, without the log; 0 means DefaultQuota
	NoFsync bool         // start sooner, but lose acknowledged commits in a power failure; for tests
	Prefix  string       // of all keys; "" means DefaultPrefix; at most 100 bytes
}

// server is the etcd in this process.
type server struct {
	etcd   *embed.Etcd
	lock   *flock.Flock
	socket *socket
}

// Embedded starts an etcd server in this process and returns a store on it. The server listens on no network port.
// It fails with fault.Conflict if another process uses the directory, and with fault.Unavailable if the server is not
// ready before ctx ends.
//
// An etcd server that can not write its log any more, because the disk is full or broken, ends the process: it may not
// go on with a log that lacks what it acknowledged.
func Embedded(ctx context.Context, o Options) (*Store, error) {
	const op = "etcdstore.Embedded"
	if o.Dir == "" || o.Quota < 0 {
		return nil, fault.New(op, fault.Invalid, o.Dir, "an embedded store needs a directory and a quota that is not negative")
	}
	prefix, err := cleanPrefix(op, o.Prefix)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fault.Because(op, fault.Invalid, o.Dir, err, "directory %s has no absolute path", o.Dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Because(op, fault.Internal, dir, err, "cannot make the state store's directory %s", dir)
	}
	o.Dir, o.Logger = dir, loggerOr(o.Logger)
	srv, err := startServer(ctx, op, o)
	if err != nil {
		return nil, err
	}
	s := newStore(v3client.New(srv.etcd.Server), prefix, o.Logger)
	s.server = srv
	if err := s.liftAlarm(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// startServer locks the directory and starts the server in it, or leaves nothing running.
func startServer(ctx context.Context, op string, o Options) (_ *server, err error) {
	srv := &server{}
	defer func() {
		if err != nil {
			err = errors.Join(err, srv.stop())
		}
	}()
	if srv.lock, err = lockDir(op, o.Dir); err != nil {
		return nil, err
	}
	if err := fileFree(op, filepath.Join(o.Dir, dataDir, "member", "snap", "db")); err != nil {
		return nil, err
	}
	if srv.socket, err = newSocket(o.Dir); err != nil {
		return nil, fault.Because(op, fault.Internal, o.Dir, err, "cannot make a socket in %s", o.Dir)
	}
	shrinkSegments()
	if srv.etcd, err = embed.StartEtcd(serverConfig(o, srv.socket.path)); err != nil {
		return nil, fault.Because(op, fault.Internal, o.Dir, err, "the embedded etcd server does not start on %s", o.Dir)
	}
	// Connecting takes the right to write, which the usual umask leaves to the owner; this holds for any umask.
	if err := os.Chmod(filepath.Join(o.Dir, SocketName), 0o600); err != nil {
		return nil, fault.Because(op, fault.Internal, o.Dir, err, "cannot keep others from the socket in %s", o.Dir)
	}
	select {
	case <-srv.etcd.Server.ReadyNotify():
		return srv, nil
	case err := <-srv.etcd.Err():
		return nil, fault.Because(op, fault.Internal, o.Dir, err, "the embedded etcd server ended at once")
	case <-ctx.Done():
		return nil, fault.Because(op, fault.Unavailable, o.Dir, ctx.Err(), "the embedded etcd server did not get ready in time")
	}
}

// stop ends whatever of the server was started.
func (s *server) stop() error {
	var errs []error
	if s.etcd != nil {
		s.etcd.Close()
	}
	if s.socket != nil {
		errs = append(errs, s.socket.close())
	}
	if s.lock != nil {
		errs = append(errs, unlockDir(s.lock))
	}
	return errors.Join(errs...)
}

// serverConfig returns the configuration of a server that is alone in its cluster.
func serverConfig(o Options, socketPath string) *embed.Config {
	c := embed.NewConfig()
	c.Name, c.Dir = "local", filepath.Join(o.Dir, dataDir)
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapLogger(o.Logger, zapcore.WarnLevel))

	// Nobody connects as a peer. The address is part of the stored membership, so it does not name the directory:
	// that may be moved.
	c.ListenPeerUrls, c.AdvertisePeerUrls = nil, []url.URL{{Scheme: "unix", Host: "local"}}
	c.InitialCluster = fmt.Sprintf("%s=%s", c.Name, c.AdvertisePeerUrls[0].String())
	c.ListenClientUrls = []url.URL{{Scheme: "unix", Path: socketPath}}
	c.AdvertiseClientUrls = []url.URL{{Scheme: "unix", Host: SocketName}}

	// It elects itself, one tick after it started; each tick, and each look for what to write back, costs a little for
	// ever. What is committed is in the log at once.
	c.TickMs, c.ElectionMs = 100, 500
	c.BackendBatchInterval = time.Second

	// Entries kept for followers that do not exist are memory wasted; entries since the last snapshot are read again
	// at every start.
	c.SnapshotCount, c.SnapshotCatchUpEntries = 1000, 100
	c.BackendBatchLimit = 1000
	c.QuotaBackendBytes = o.Quota
	if o.Quota == 0 {
		c.QuotaBackendBytes = DefaultQuota
	}
	// A watch that was cut off for less than this goes on without reading everything again.
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, "5m"
	// Etcd calls a request slow after 100 ms, which any disk takes at times.
	c.WarningApplyDuration, c.WarningUnaryRequestDuration = time.Second, time.Second
	// Pages that compacting freed are used again, but the file shrinks only here.
	c.BootstrapDefragThresholdMegabytes = 64
	if o.NoFsync {
		c.UnsafeNoFsync = true
		c.TickMs, c.ElectionMs = 10, 50
	}
	return c
}

// shrinkSegments makes the server's log grow in pieces of 8 MiB: etcd's own 64 MB, of which it always allocates two,
// are for clusters with a thousand times our writes. The size is a variable of the process in etcd's code, so it is
// set once, and a program that set it otherwise is left alone.
var shrinkSegments = sync.OnceFunc(func() {
	const usual = 64_000_000
	if wal.SegmentSizeBytes == usual {
		wal.SegmentSizeBytes = 8 << 20
	}
})
