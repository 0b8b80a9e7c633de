package cli

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// summary is what a cloud consisted of: the file that a backup makes. Objects are by UUID, or by name if they have none.
type summary struct {
	Namespaces map[string]api.Namespace `json:"namespaces"`
	Networks   map[string]api.Network   `json:"networks"`
	Instances  map[string]api.Instance  `json:"instances"`
	Artifacts  map[string]api.Artifact  `json:"artifacts"`
	Blobs      map[string]api.Blob      `json:"blobs"`
	Nodes      map[string]api.Node      `json:"nodes"`
}

func (a *app) backupGroup() *cobra.Command {
	return group("backup", "Copies of everything; for the namespace system only", "sf-client backup create /srv/backup/cloud.json", a.backupCreate())
}

func (a *app) backupCreate() *cobra.Command {
	return a.leaf(leaf{
		use: "create FILE", short: "Download all blobs, and write down what there is",
		long: "Blobs are written to the folder blobs beside FILE, each under its UUID. FILE is written last: JSON of all namespaces, " +
			"networks, instances, artifacts, blobs and nodes. It holds user data and can be read by you alone.\n\nThe same command " +
			"takes up a backup that broke off, and brings one up to date: blobs that are there already, by size and " +
			"checksum, are left alone.",
		example: "sf-client backup create /srv/backup/cloud.json", file: 1,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			s, err := takeStock(ctx, c)
			if err != nil {
				return err
			}
			lost, err := a.saveBlobs(ctx, c, &s, filepath.Join(filepath.Dir(args[0]), "blobs"))
			if err != nil {
				return err
			}
			if err := s.write(args[0]); err != nil {
				return err
			}
			if err := a.made(args[0], map[string]any{"file": args[0], "blobs": len(s.Blobs), "lost": lost}, "Created summary at "+args[0]); err != nil {
				return err
			}
			if lost > 0 {
				return failed("%d blobs could not be had", lost)
			}
			return nil
		},
	})
}

// takeStock lists everything.
func takeStock(ctx context.Context, c *client.Client) (summary, error) {
	var s summary
	for _, list := range []func() error{
		collect(&s.Namespaces, func(n api.Namespace) string { return n.Name }, func() ([]api.Namespace, error) { return c.ListNamespaces(ctx) }),
		collect(&s.Networks, func(n api.Network) string { return n.UUID }, func() ([]api.Network, error) { return c.ListNetworks(ctx, false) }),
		collect(&s.Instances, func(i api.Instance) string { return i.UUID }, func() ([]api.Instance, error) { return c.ListInstances(ctx, false) }),
		collect(&s.Artifacts, func(v api.Artifact) string { return v.UUID }, func() ([]api.Artifact, error) { return c.ListArtifacts(ctx, "") }),
		collect(&s.Blobs, func(b api.Blob) string { return b.UUID }, func() ([]api.Blob, error) { return c.ListBlobs(ctx, "") }),
		collect(&s.Nodes, func(n api.Node) string { return n.Name }, func() ([]api.Node, error) { return c.ListNodes(ctx) }),
	} {
		if err := list(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// collect returns a function that keeps what list returns, by ID.
func collect[T any](into *map[string]T, id func(T) string, list func() ([]T, error)) func() error {
	return func() error {
		all, err := list()
		*into = map[string]T{}
		for _, one := range all {
			(*into)[id(one)] = one
		}
		return err
	}
}

// saveBlobs downloads what is missing in a folder. Blobs that are deleted meanwhile are left out of s. It returns how many
// blobs exist and cannot be had, since no node has their content.
func (a *app) saveBlobs(ctx context.Context, c *client.Client, s *summary, folder string) (lost int, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return 0, cannotWrite(folder, err)
	}
	uuids := slices.Sorted(maps.Keys(s.Blobs))
	for n, uuid := range uuids {
		b := s.Blobs[uuid]
		if b.State != api.StateCreated {
			continue
		}
		err := a.saveBlob(ctx, c, b, fmt.Sprintf("%d of %d", n+1, len(uuids)), filepath.Join(folder, filepath.Base(uuid)))
		if !errors.Is(err, fault.NotFound) {
			if err != nil {
				return lost, err
			}
			continue
		}
		now, err := c.GetBlob(ctx, uuid)
		switch {
		case errors.Is(err, fault.NotFound), err == nil && now.State == api.StateDeleted:
			delete(s.Blobs, uuid)
		case err != nil:
			return lost, err
		default:
			lost++
			a.tellf("No node has the content of blob %s\n", harmless(uuid))
		}
	}
	return lost, nil
}

// saveBlob downloads a blob unless it is there already.
func (a *app) saveBlob(ctx context.Context, c *client.Client, b api.Blob, name, path string) error {
	there, err := saved(ctx, b, path)
	if err != nil {
		return err
	}
	if there {
		a.note("Already have " + b.UUID)
		return nil
	}
	if err := a.save(ctx, c, name, b.UUID, b.Size, path); err != nil {
		return err
	}
	a.note("Downloaded " + b.UUID)
	return nil
}

// note prints a line for people and shell scripts, while there is more to come.
func (a *app) note(line string) {
	if a.format == formatPretty || a.format == formatSimple {
		a.printf("%s\n", harmless(line))
	}
}

// write puts the summary in its place once it is whole.
func (s *summary) write(path string) error {
	b, err := json.MarshalIndent(s, "", "    ")
	if err != nil {
		return err
	}
	partial := path + ".partial"
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return cannotWrite(partial, err)
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return cannotWrite(partial, err)
	}
	if err := os.Rename(partial, path); err != nil {
		return cannotWrite(path, err)
	}
	return syncFolder(path)
}

// checksum returns the SHA-512 of a file in hex.
func checksum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", failed("Cannot read %s: %v", path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	sum := sha512.New()
	for {
		_, err := io.CopyN(sum, f, 64*mib)
		switch {
		case errors.Is(err, io.EOF):
			return hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return "", failed("Cannot read %s: %v", path, err)
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		}
	}
}
