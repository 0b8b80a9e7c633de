package daemon

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
)

// flags are what the command line says.
type flags struct {
	simulate  bool
	listen    string // host:port; "" means loopback and the configured port
	state     string // "" means the configured directory
	config    string // "" means defaultConfigFile if it is there
	logLevel  slog.Level
	logFormat string
	version   bool
}

// defaultConfigFile is read if it is there and no other is named.
const defaultConfigFile = "/etc/sf/config"

const usage = `sf-daemon runs a node of a Shaken Fist cloud. One machine needs no configuration:

    sf-daemon                                  a cloud on this machine, with libvirt
    sf-daemon --simulate                       a cloud in memory: no root, no libvirt
    sf-client --config DIR/client.json node list

Settings come from the environment (SHAKENFIST_…) and from a file of lines KEY=VALUE; the environment wins.

Flags:
`

// parseFlags reads the command line. It fails with flag.ErrHelp when help was asked for, and shown.
func parseFlags(args []string, stderr io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("sf-daemon", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		say(stderr, usage)
		set.PrintDefaults()
	}
	set.BoolVar(&f.simulate, "simulate", false, "keep everything in memory and only pretend to run guests")
	set.StringVar(&f.listen, "listen", "", "`ADDRESS` of the REST API, host:port; port 0 picks one (default 127.0.0.1:13000, or SHAKENFIST_API_PORT)")
	set.StringVar(&f.state, "state", "", "`DIRECTORY` for everything the daemon keeps (default /srv/shakenfist, or SHAKENFIST_STORAGE_PATH)")
	set.StringVar(&f.config, "config", "", "`FILE` of settings (default "+defaultConfigFile+" if it is there)")
	set.TextVar(&f.logLevel, "log-level", slog.LevelInfo, "least `LEVEL` that is logged: debug, info, warn or error")
	set.StringVar(&f.logFormat, "log-format", "text", "`FORMAT` of the log: text or json")
	set.BoolVar(&f.version, "version", false, "print the version and end")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, complain(stderr, "sf-daemon takes no arguments, but got %q", set.Arg(0))
	}
	if f.logFormat != "text" && f.logFormat != "json" {
		return f, complain(stderr, "--log-format %q is not known; use text or json", f.logFormat)
	}
	return f, nil
}

func complain(w io.Writer, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	say(w, err.Error()+"\n")
	return err
}

// settings merges the file and the environment.
func (f flags) settings(variables []string) (map[string]string, error) {
	values := map[string]string{}
	path, named := f.config, f.config != ""
	if !named {
		path = defaultConfigFile
	}
	fromFile, err := configFile(path)
	if err != nil && (named || !errors.Is(err, os.ErrNotExist)) {
		return nil, err
	}
	maps.Copy(values, fromFile)
	maps.Copy(values, environment(variables))
	return values, nil
}

func (f flags) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.logLevel}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// say writes to the terminal. If that fails there is nobody to tell.
func say(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
