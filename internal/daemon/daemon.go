// Package daemon is the reference daemon: a cloud with real drivers, or with simulations, behind the REST API.
//
// It reads settings, opens the parts, runs the cloud, serves the API, and ends in order. What is worth knowing is logged,
// one structured line each; an idle daemon is silent.
package daemon

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

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
		log.Warn("this setting is not known and means nothing; check its spelling", slog.String("key", key))
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
	listener, err := listen(ctx, f, c)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // the server has closed it already, unless the cloud can't be made
	parts, err := p.config(log, c, dir, listener.Addr(), hook)
	if err != nil {
		return err
	}
	cloud, err := shakenfist.New(parts)
	if err != nil {
		return err
	}
	d := &daemon{log: log, cloud: cloud, listener: listener, dir: dir, keyName: p.keyName}
	return d.run(ctx, server.Options{
		Log: log, TokenLife: time.Duration(c.TokenMinutes) * time.Minute, Release: shakenfist.Version, Store: p.counter, Ready: d.notReady,
		CACert: c.SpiceCACert,
	})
}
