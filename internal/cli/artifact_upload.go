package cli

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// standardInput is the name of the file that is what comes through a pipe.
const standardInput = "-"

// uploadFlags are the flags of artifact upload.
type uploadFlags struct {
	sourceURL, kind, namespace string
	shared                     bool
}

func (a *app) artifactUpload() *cobra.Command {
	var n uploadFlags
	cmd := a.leaf(leaf{
		use: "upload NAME FILE", short: "Make a file an artifact, or its next version",
		long: "FILE is a disk image: raw, qcow2, vmdk, vdi, vhd or iso, which may be packed by gzip, xz or zstd; or any file at all with " +
			"--type other. - is standard input.\n\nContent that the cloud has already is not sent again. Where a connection breaks off it " +
			"is taken up again; if it can't be, nothing stays.\n\nInstances use it as sf://upload/NAMESPACE/NAME, which is also its source URL " +
			"if --source_url doesn't say otherwise. The same source URL again makes the next version.",
		example: "sf-client artifact upload web web.qcow2\n" +
			"sf-client artifact upload base base.raw --shared --source_url http://example.com/base.raw\n" +
			"sf-client artifact upload report report.pdf --type other\n" +
			"sf-client artifact upload web - < web.qcow2",
		file: 2, flags: n.flags,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			switch name := args[0]; {
			case name == "" || strings.Contains(name, "/"):
				return usageError{"the name of an artifact is not empty and has no slash; --source_url takes a URL"}
			case n.kind != "" && n.kind != "image" && n.kind != "other":
				return usageError{"--type is " + n.kind + "; it is image or other"}
			}
			v, err := a.upload(ctx, c.In(n.namespace), args[0], args[1], n.request())
			if err != nil {
				return err
			}
			return a.made(v.UUID, v, "Created artifact "+v.UUID)
		},
	})
	mustComplete(cmd, "type", cobra.FixedCompletions([]string{"image", "other"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (n *uploadFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&n.sourceURL, "source_url", "", "where it comes from, by which the artifact is known")
	f.StringVar(&n.kind, "type", "", "image (the default), or other for what is no disk")
	choose(f, &n.shared, true, "shared", "let every namespace use it; for the namespace system only")
	choose(f, &n.shared, false, "not-shared", "do not (the default)")
	namespaceFlag(f, &n.namespace)
}

func (n *uploadFlags) request() api.UploadArtifact {
	r := api.UploadArtifact{Shared: n.shared}
	if n.sourceURL != "" {
		r.SourceURL = &n.sourceURL
	}
	if n.kind != "" {
		r.Type = &n.kind
	}
	return r
}

// upload makes a file an artifact, with lines that say how far it is.
func (a *app) upload(ctx context.Context, c *client.Client, name, path string, r api.UploadArtifact) (api.Artifact, error) {
	s := uploading{app: a}
	defer func() {
		s.clear()
		if ctx.Err() != nil && !s.sent { // nothing stays of it, and nothing goes on
			a.changing.Store(false)
		}
	}()
	o := client.UploadOptions{
		Hashed: func(done, size int64) { s.show("Reading "+name, done, size) },
		Sent:   func(done, size int64) { s.show("Sending "+name, done, size) },
		Check: func() {
			s.clear()
			s.sent = true
			s.line = a.transfer(name, 0, 0)
			s.line.p.show("sent and being checked", "")
		},
		Known: func(b api.Blob) {
			s.clear()
			a.tellf("The cloud has that content already, as blob %s; nothing was sent.\n", b.UUID)
		},
	}
	if path == standardInput {
		return c.UploadStream(ctx, name, a.in, r, o)
	}
	f, err := os.Open(path)
	if err != nil {
		return api.Artifact{}, cannotRead(path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return api.Artifact{}, cannotRead(path, err)
	case info.IsDir():
		return api.Artifact{}, failed("%s is a folder; name the file to send", path)
	case info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeCharDevice) != 0:
		return c.UploadStream(ctx, name, f, r, o)
	case info.Mode()&fs.ModeDevice != 0: // a disk, whose size is where it ends
		size, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return api.Artifact{}, cannotRead(path, err)
		}
		return c.UploadFile(ctx, name, f, size, r, o)
	case info.Size() == 0:
		return api.Artifact{}, failed("%s is empty; there is nothing to send", path)
	}
	return c.UploadFile(ctx, name, f, info.Size(), r, o)
}

// uploading is the line of an upload, which is read first and then sent.
type uploading struct {
	app  *app
	what string
	line *transfer // nil before the first part
	sent bool      // all of it
}

// show is told how many bytes of size have been worked on.
func (s *uploading) show(what string, done, size int64) {
	if s.line == nil || what != s.what {
		s.clear()
		s.line, s.what = s.app.transfer(what, size, 0), what
	}
	s.line.moveTo(done)
}

// clear removes the line.
func (s *uploading) clear() {
	if s.line != nil {
		s.line.clear()
	}
	s.line = nil
}
