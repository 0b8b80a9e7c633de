package daemon

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"
)

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
