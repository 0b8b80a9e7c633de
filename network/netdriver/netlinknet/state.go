//go:build linux

package netlinknet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/network/netdriver"
)

// Files of a network's folder. Nothing in it outlives what it describes: processes, links and namespaces all end with the
// machine, and every file is compared with what it should say before it is relied upon. So none is fsynced.
const (
	fileID     = "id"           // the mark
	fileHosts  = "hosts"        // dnsmasq's hosts, as they shall be
	fileLoaded = "hosts.known"  // dnsmasq's hosts, as it surely has read them
	fileLeases = "leases"       // dnsmasq's
	filePID    = "dnsmasq.pid"  // dnsmasq's
	fileLock   = "dnsmasq.lock" // locked while dnsmasq is starting
	fileNew    = ".new"         // any of them, not whole yet
)

// dir returns the folder of a network; "" is the folder of those folders.
func (d *Driver) dir(uuid string) string { return filepath.Join(d.opts.StateDir, "networks", uuid) }

// path returns a file of the network's folder.
func (d *Driver) path(uuid, file string) string { return filepath.Join(d.dir(uuid), file) }

// stateOf returns the network whose folder it is, and whether there is a folder with its mark.
func (d *Driver) stateOf(uuid string) (netdriver.ID, bool) {
	mark, err := os.ReadFile(d.path(uuid, fileID))
	if err != nil {
		return netdriver.ID{}, false
	}
	id, ok := d.parseMark(string(mark))
	return id, ok && id.UUID == uuid
}

// ensureState makes the network's folder with its mark.
func (d *Driver) ensureState(ctx context.Context, id netdriver.ID) error {
	have, ok := d.stateOf(id.UUID)
	if ok && have == id {
		if err := os.Remove(d.path(id.UUID, fileNew)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d.failed("remove", d.path(id.UUID, fileNew), err)
		}
		return nil
	}
	if ok {
		return fault.New("netlinknet.ensureState", fault.Conflict, id.UUID,
			"the gateway is here with VXLAN id %d; remove that first", have.VXLAN)
	}
	if err := os.MkdirAll(d.dir(id.UUID), 0o755); err != nil { //nolint:gosec // dnsmasq's user reads in it
		return d.failed("make", d.dir(id.UUID), err)
	}
	if err := os.Chmod(d.dir(id.UUID), 0o755); err != nil { //nolint:gosec // dnsmasq's user reads in it, whatever the umask
		return d.failed("set the mode of", d.dir(id.UUID), err)
	}
	return d.write(ctx, id, fileID, d.mark(id))
}

// write makes a file of the network's folder complete in one rename. ensureState removes what a cut-off attempt left.
func (d *Driver) write(ctx context.Context, id netdriver.ID, file, content string) error {
	path := d.path(id.UUID, file)
	temporary := d.path(id.UUID, fileNew)
	if err := os.WriteFile(temporary, []byte(content), 0o644); err != nil { //nolint:gosec // dnsmasq's user reads it
		return d.failed("write", temporary, err)
	}
	if err := os.Chmod(temporary, 0o644); err != nil { //nolint:gosec // dnsmasq's user reads it, whatever the umask
		return d.failed("set the mode of", temporary, err)
	}
	return d.change(ctx, id, "rename", path, func() error { return os.Rename(temporary, path) })
}

// read returns the content of a file of the network's folder; "" if there is none.
func (d *Driver) read(uuid, file string) (string, error) {
	b, err := os.ReadFile(d.path(uuid, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", d.failed("read", d.path(uuid, file), err)
	}
	return string(b), nil
}

// has reports whether there is such a file in the network's folder.
func (d *Driver) has(uuid, file string) bool {
	_, err := os.Lstat(d.path(uuid, file))
	return err == nil
}

// removeState removes the network's folder, its mark last.
func (d *Driver) removeState(ctx context.Context, id netdriver.ID) error {
	dir := d.dir(id.UUID)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if have, ok := d.stateOf(id.UUID); ok && have != id {
		return nil // it is of the same network with another VXLAN id
	}
	return d.change(ctx, id, "remove", dir, func() error {
		if err := removeFiles(dir, fileID); err != nil {
			return err
		}
		return os.RemoveAll(dir)
	})
}

// removeFiles removes everything in dir but one file.
func removeFiles(dir, except string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == except {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// sweepState removes the folders of calls that were cut off before they wrote their mark, or after they removed it.
func (d *Driver) sweepState(ctx context.Context) error {
	entries, err := os.ReadDir(d.dir(""))
	if err != nil {
		return d.failed("read", d.dir(""), err)
	}
	for _, e := range entries {
		if _, err := os.Lstat(d.path(e.Name(), fileID)); err == nil {
			continue
		}
		path := d.dir(e.Name())
		if err := step.Do(ctx, "netlinknet: remove", path, func() error { return os.RemoveAll(path) }); err != nil {
			return d.failed("remove", path, err)
		}
	}
	return nil
}
