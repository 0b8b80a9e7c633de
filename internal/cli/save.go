package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

func (a *app) artifactDownload() *cobra.Command {
	return a.leaf(leaf{
		use: "download ARTIFACT FILE", short: "Write the newest version of an artifact to a file",
		long: "FILE is there only once all of the content is, and its size and checksum were compared. If a download breaks off, " +
			"what is there is kept beside FILE, and the same command takes it up.",
		example: "sf-client artifact download debian:12 debian.qcow2", complete: artifactNames, file: 2,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			v, err := c.GetArtifact(ctx, args[0])
			if err != nil {
				return err
			}
			if v.BlobUUID == "" {
				return failed("Artifact %s has no version to download; its state is %s", args[0], v.State)
			}
			b := v.Blobs[v.Index]
			if err := a.save(ctx, c, args[0], v.BlobUUID, b.Size, args[1]); err != nil {
				return err
			}
			value := map[string]any{"artifact_uuid": v.UUID, "blob_uuid": v.BlobUUID, "size": b.Size, "file": args[1]}
			return a.made(args[1], value, "Download complete")
		},
	})
}

// made tells of a file that was made.
func (a *app) made(path string, value any, line string) error {
	if a.format == formatName {
		return a.done(value, path)
	}
	return a.say(value, line)
}

// save writes a blob of that size to a file, which is there only once it is whole. What there is of an attempt that broke off
// is in a file beside it.
func (a *app) save(ctx context.Context, c *client.Client, name, uuid string, size int64, path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return failed("%s is a folder; name the file to write", path)
	}
	partial := path + "." + uuid + ".partial"
	err := a.fetch(ctx, c, name, uuid, size, partial)
	if errors.Is(err, fault.Conflict) { // what was kept is no part of it
		if err := os.Remove(partial); err != nil {
			return cannotWrite(partial, err)
		}
		if err = a.fetch(ctx, c, name, uuid, size, partial); errors.Is(err, fault.Conflict) {
			_ = os.Remove(partial) // it would be found out again
		}
	}
	if errors.Is(err, fault.NotFound) {
		_ = os.Remove(partial) // there will be no rest
	}
	if err != nil {
		if info, no := os.Stat(partial); no == nil && info.Size() > 0 {
			a.tellf("What there is was kept in %s; the same command gets the rest.\n", harmless(partial))
		}
		return err
	}
	if err := os.Rename(partial, path); err != nil {
		return cannotWrite(path, err)
	}
	return syncFolder(path)
}

// fetch completes a file by what is missing of a blob.
func (a *app) fetch(ctx context.Context, c *client.Client, name, uuid string, size int64, path string) (err error) {
	have, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666) //nolint:gosec // the user's umask says who may read it
	if err != nil {
		return cannotWrite(path, err)
	}
	defer func() { err = errors.Join(err, have.Close()) }()
	info, err := have.Stat()
	if err != nil {
		return cannotWrite(path, err)
	}
	t := a.transfer(name, size, info.Size())
	defer t.clear()
	// Reading what is there leaves the file's offset at its end, where the rest belongs.
	_, err = c.DownloadBlob(ctx, uuid, io.MultiWriter(have, t), client.DownloadOptions{Have: have})
	if err != nil {
		return err
	}
	if err := have.Sync(); err != nil {
		return cannotWrite(path, err)
	}
	return nil
}

// saved reports whether a file is that blob already, by its size and checksum.
func saved(ctx context.Context, b api.Blob, path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() != b.Size) {
		return false, nil
	}
	if err != nil {
		return false, failed("Cannot look at %s: %v", path, err)
	}
	if b.SHA512 == nil {
		return true, nil
	}
	sum, err := checksum(ctx, path)
	return sum == *b.SHA512, err
}

// syncFolder makes a rename last.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return cannotWrite(path, err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return cannotWrite(path, err)
	}
	return nil
}

func cannotWrite(path string, err error) error {
	return failed("Cannot write %s: %v", path, bare(err))
}

func cannotRead(path string, err error) error {
	return failed("Cannot read %s: %v", path, bare(err))
}

// bare returns what is wrong with a file without its path.
func bare(err error) error {
	if wrapped, ok := errors.AsType[*fs.PathError](err); ok {
		return wrapped.Err
	}
	return err
}
