// Package daemon is the reference daemon: a cloud with real drivers, or with simulations, behind the REST API.
//
// It reads settings, opens the parts, runs the cloud, serves the API, and ends in order. What is worth knowing is logged,
// one structured line each; an idle daemon is silent.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/gofrs/flock"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/server"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitForced = 130 // a second signal came
)

// Main runs the daemon until it is told to stop, and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	return mainWith(openParts, args, stdout, stderr)
}

// opener opens the parts that the settings ask for. Nothing is left open when it fails.
type opener func(ctx context.Context, log *slog.Logger, f flags, c config, dir string) (*parts, error)

func mainWith(open opener, args []string, stdout, stderr io.Writer) int {
	f, err := parseFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	case f.version:
		say(stdout, "sf-daemon "+shakenfist.Version+"\n")
		return exitOK
	}
	values, err := f.settings(os.Environ())
	if err != nil {
		say(stderr, err.Error()+"\n")
		return exitUsage
	}
	c, unknown, err := loadConfig(values)
	if err != nil {
		say(stderr, "the configuration is wrong:\n"+err.Error()+"\n")
		return exitUsage
	}
	log := f.logger(stderr)
	for _, key := range unknown {
		log.Warn("this setting is not known and means nothing", slog.String("key", key))
	}
	ctx, stop := untilSignal(context.Background(), log)
	defer stop()
	if err := run(ctx, log, open, f, c, stdout); err != nil {
		log.Error("the daemon failed", slog.String("error", fault.Text(err)))
		return exitFailed
	}
	return exitOK
}

// untilSignal returns a context that ends with the first SIGTERM or SIGINT. A second one ends the process at once.
func untilSignal(parent context.Context, log *slog.Logger) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		select {
		case s := <-signals:
			log.InfoContext(ctx, "stopping; guests keep running", slog.String("signal", s.String()))
			cancel()
		case <-ctx.Done():
			return
		}
		<-signals
		os.Exit(exitForced)
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}

// run is the daemon's life.
func run(ctx context.Context, log *slog.Logger, open opener, f flags, c config, stdout io.Writer) (err error) {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(50) // memory is the guests'; this process has little to collect
	}
	hook, err := hook()
	if err != nil {
		return err
	}
	ctx = step.WithHook(ctx, hook)
	dir, forget, err := stateDir(f, c, stdout)
	if err != nil {
		return err
	}
	defer forget()
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	p, err := open(ctx, log, f, c, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	parts, err := p.config(log, c, dir, hook)
	if err != nil {
		return err
	}
	cloud, err := shakenfist.New(parts) //nolint:contextcheck // it starts nothing; its callbacks run later
	if err != nil {
		return err
	}
	listener, err := listen(ctx, f, c)
	if err != nil {
		return err
	}
	d := &daemon{log: log, cloud: cloud, listener: listener, dir: dir, keyName: p.keyName}
	return d.run(ctx, server.Options{
		Log: log, TokenLife: time.Duration(c.TokenMinutes) * time.Minute, Release: shakenfist.Version, Store: p.counter, Ready: d.notReady,
	})
}

// stateDir makes the directory that everything lies in and returns its absolute path. A simulation without one gets a
// temporary one, which it says, and which forget removes.
func stateDir(f flags, c config, stdout io.Writer) (dir string, forget func(), err error) {
	if f.simulate && f.state == "" {
		dir, err := os.MkdirTemp("", "shakenfist-")
		if err != nil {
			return "", nil, err
		}
		say(stdout, "state directory: "+dir+"\n")
		return dir, func() { _ = os.RemoveAll(dir) }, nil
	}
	if dir, err = filepath.Abs(cmp.Or(f.state, c.StoragePath)); err != nil {
		return "", nil, err
	}
	// Guests' disks lie below, and the hypervisor opens them as a user of its own.
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // see above
		return "", nil, fmt.Errorf("making the state directory: %w; run as root, or name another with --state", err)
	}
	return dir, func() {}, nil
}

// lock keeps a second daemon off the directory: the two would remove each other's files.
func lock(dir string) (unlock func(), err error) {
	l := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	locked, err := l.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("locking the state directory: %w", err)
	case !locked:
		return nil, fmt.Errorf("another daemon runs on the state directory %s; stop it, or name another directory with --state", dir)
	}
	return func() { _ = l.Unlock() }, nil // the lock goes with the process anyway
}

func listen(ctx context.Context, f flags, c config) (net.Listener, error) {
	address := f.listen
	if address == "" {
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(c.APIPort))
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for the REST API: %w; name another address with --listen", err)
	}
	return l, nil
}

// daemon is a cloud being served.
type daemon struct {
	log      *slog.Logger
	cloud    *shakenfist.Cloud
	listener net.Listener
	dir      string
	keyName  string      // of the operator's key on this machine
	opened   atomic.Bool // the client file is there
}

// notReady says what the server lacks besides the cloud.
func (d *daemon) notReady() error {
	if !d.opened.Load() {
		return fault.New("daemon", fault.Unavailable, "", "the operators' namespace and key are being made")
	}
	return nil
}

// drain is how long running requests may take to end.
const drain = 5 * time.Second

// run runs cloud and server until ctx ends or one of them fails. The order of the end: no new requests, running ones
// finish, the loops stop, the node says goodbye.
func (d *daemon) run(ctx context.Context, o server.Options) error {
	web := newWebServer(server.New(d.cloud, o), d.log) //nolint:contextcheck // requests bring their own
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 3)
	go func() { ended <- d.cloud.Run(running) }()
	go func() { ended <- web.Serve(d.listener) }()
	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { ended <- d.open(opening) }()

	var failure error
	waiting := 3
	for failure == nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case failure = <-ended:
			waiting--
		}
	}
	cancel()
	notify(systemd.SdNotifyStopping)
	bounded, done := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer done()
	if err := web.Shutdown(bounded); err != nil {
		_ = web.Close()
	}
	stop()
	for ; waiting > 0; waiting-- {
		if err := <-ended; failure == nil && ctx.Err() == nil {
			failure = err
		}
	}
	d.log.InfoContext(ctx, "stopped")
	return failure
}

// open makes the first key once the cloud serves, and says that all is ready.
func (d *daemon) open(ctx context.Context) error {
	if err := d.ready(ctx); err != nil {
		return quiet(ctx, err)
	}
	url := clientURL(d.listener.Addr())
	if err := bootstrap(ctx, d.log, d.cloud.Namespaces, d.dir, url, d.keyName); err != nil {
		return quiet(ctx, err)
	}
	d.opened.Store(true)
	d.log.InfoContext(ctx, "ready", slog.String("release", shakenfist.Version), slog.String("api", url), slog.String("state", d.dir),
		slog.String("node", d.cloud.Nodes.Name()))
	notify(systemd.SdNotifyReady)
	return nil
}

// quiet returns nil for what only failed because the daemon is ending.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// ready waits until the cloud serves, and says in the log when that takes long.
func (d *daemon) ready(ctx context.Context) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := d.cloud.Ready(bounded)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		d.log.WarnContext(ctx, "waiting", slog.String("for", fault.Text(err)))
	}
}

// notify tells the service manager, if there is one.
func notify(state string) {
	_, _ = systemd.SdNotify(false, state) // without a service manager there is nobody to tell
}

// newWebServer bounds what a slow or hostile client can hold.
func newWebServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
