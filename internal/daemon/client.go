package daemon

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/internal/step"
	"github.com/shakenfist/shakenfist/namespace"
)

// clientFile is what a client on this machine needs to know. It lies in the state directory, for root only.
type clientFile struct {
	APIURL    string `json:"apiurl"`
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
}

// clientFileName is the file's name in the state directory.
const clientFileName = "client.json"

// bootstrap makes sure that the operators' namespace exists and that the client file opens it. A key that works is kept,
// so that a restart disturbs nobody who copied the file.
func bootstrap(ctx context.Context, log *slog.Logger, m *namespace.Manager, dir, apiURL, keyName string) error {
	path := filepath.Join(dir, clientFileName)
	if _, err := m.Create(ctx, namespace.System, "", ""); err != nil && !errors.Is(err, fault.Forbidden) {
		return err
	}
	file, err := readClientFile(path)
	if err != nil {
		return err
	}
	works, err := opens(ctx, m, file)
	switch {
	case err != nil:
		return err
	case works && file.APIURL == apiURL:
		return nil
	case works:
		file.APIURL = apiURL
		return writeClientFile(ctx, path, file)
	}
	file = clientFile{APIURL: apiURL, Namespace: namespace.System, Key: rand.Text()}
	if err := m.SetKey(ctx, namespace.System, keyName, file.Key, false); err != nil {
		return err
	}
	log.InfoContext(ctx, "made a key for this machine's operator", slog.String("namespace", file.Namespace),
		slog.String("key_name", keyName), slog.String("file", path))
	return writeClientFile(ctx, path, file)
}

// opens reports whether the file's key is one of its namespace.
func opens(ctx context.Context, m *namespace.Manager, f clientFile) (bool, error) {
	if f.Key == "" {
		return false, nil
	}
	_, err := m.Login(ctx, f.Namespace, f.Key)
	if errors.Is(err, fault.Unauthorized) || errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// readClientFile returns the zero value for a file that is not there or that makes no sense: it is made anew.
func readClientFile(path string) (clientFile, error) {
	var f clientFile
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return clientFile{}, nil
	case err != nil:
		return clientFile{}, fault.Because("daemon.readClientFile", fault.Internal, path, err, "reading the client file")
	}
	if json.Unmarshal(content, &f) != nil {
		return clientFile{}, nil
	}
	return f, nil
}

// writeClientFile writes the file in one step: a reader finds the old or the new one, never half of it.
func writeClientFile(ctx context.Context, path string, f clientFile) error {
	content, err := json.MarshalIndent(f, "", "    ")
	if err != nil {
		return err
	}
	partial := path + ".partial" // a leftover is overwritten
	if err := writeSynced(partial, append(content, '\n')); err != nil {
		return fault.Because("daemon.writeClientFile", fault.Internal, path, err, "writing the client file")
	}
	err = step.Do(ctx, "rename client file", path, func() error {
		if err := os.Rename(partial, path); err != nil {
			return err
		}
		return syncDir(filepath.Dir(path))
	})
	return fault.Wrap("daemon.writeClientFile", path, err)
}

func writeSynced(path string, content []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // a leftover could have other permissions
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// clientURL is where clients on this machine reach a listener: at loopback if it listens everywhere.
func clientURL(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "http://" + a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
