package daemon

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/shakenfist/shakenfist"
	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/server"
)

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

// run runs cloud and server until ctx ends or one of them fails. The order of the end: nothing new is placed here, no new
// requests, running ones finish, the loops stop, the node says goodbye.
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
	d.cloud.Nodes.Retire(bounded)
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
