package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/internal/ociref"
)

// pushFlags are the flags of artifact push.
type pushFlags struct {
	version       int // 0 for the newest
	username      string
	passwordStdin bool
	packing       string // a key of packings; "" for what suits the content
}

func (a *app) artifactPush() *cobra.Command {
	var flags pushFlags
	cmd := a.leaf(leaf{
		use: "push ARTIFACT IMAGE", short: "Put a version of an artifact into a container registry",
		long: "IMAGE is oci://registry[:port]/repository[:tag]; the tag is latest if it is left out. What is put there is a container " +
			"image with one file in the folder /disk, which any cloud like this one takes as the URL of an image, and KubeVirt as a " +
			"containerdisk. It goes from the cloud through this program to the registry, and is kept nowhere on the way. What the " +
			"registry has already is not sent again.\n\n" +
			"You are who docker login or podman login says that you are, or whom --username names. Registries on loopback and private " +
			"addresses may do without TLS; oci+http:// lets any other do so.",
		example: "sf-client artifact push debian:12 oci://registry.example.com/disks/debian:12\n" +
			"sf-client artifact push 69ff59a7-5d07-43b4-8f29-bc2ef1b44f6a oci://10.0.0.5:5000/web --version 3\n" +
			"sf-client artifact push web oci://ghcr.io/example/web:tested --username me --password-stdin < token",
		complete: artifactNames,
		flags: func(f *pflag.FlagSet) {
			f.IntVar(&flags.version, "version", 0, "which version; the newest if it is left out")
			f.StringVar(&flags.username, "username", "", "whom to log in to the registry as")
			choose(f, &flags.passwordStdin, true, "password-stdin", "read the password of --username from standard input")
			f.StringVar(&flags.packing, "compression", "", "none, gzip or zstd; if it is left out, zstd for raw disks and none for all others")
		},
		run: func(ctx context.Context, c *client.Client, args []string) error {
			return a.push(ctx, c, args[0], args[1], flags)
		},
	})
	mustComplete(cmd, "compression", cobra.FixedCompletions([]string{"none", "gzip", "zstd"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) push(ctx context.Context, c *client.Client, artifact, target string, flags pushFlags) error {
	ref, err := ociref.Parse(target)
	if err != nil {
		return err
	}
	if _, tagged := ref.Image.(name.Tag); !tagged {
		return usageError{"IMAGE names a digest; what has been put somewhere has one, what will be is named by a tag"}
	}
	if flags.packing != "" && packings[flags.packing].mediaType == "" {
		return usageError{"--compression is " + flags.packing + "; it is none, gzip or zstd"}
	}
	login, err := a.registryLogin(ref, flags)
	if err != nil {
		return err
	}
	b, err := versionToPush(ctx, c, artifact, flags.version)
	if err != nil {
		return err
	}
	p := push{app: a, client: c, blob: b, name: artifact, packing: flags.packing, ref: ref.Image}
	p.options = []remote.Option{remote.WithContext(ctx), remote.WithUserAgent("sf-client"), remote.WithTransport(pushTransport()), login}
	digest, sent, err := p.run(ctx)
	if err != nil {
		return pushFailed(ctx, ref, err)
	}
	line := "Push complete: " + ref.At(digest).String()
	if !sent {
		line = "The registry has it already: " + ref.At(digest).String()
	}
	value := map[string]any{"image": ref.String(), "digest": digest.String(), "blob_uuid": b.UUID, "size": b.Size, "sent": sent}
	return a.made(ref.At(digest).String(), value, line)
}

// versionToPush returns the blob of a version of an artifact, the newest if index is 0.
func versionToPush(ctx context.Context, c *client.Client, artifact string, index int) (api.Blob, error) {
	v, err := c.GetArtifact(ctx, artifact)
	if err != nil {
		return api.Blob{}, err
	}
	id := v.BlobUUID
	if index != 0 {
		id = v.Blobs[index].UUID
	}
	switch {
	case id == "" && index != 0:
		return api.Blob{}, failed("Artifact %s has no version %d; sf-client artifact show %s lists those that it has", artifact, index, artifact)
	case id == "":
		return api.Blob{}, failed("Artifact %s has no version to push; its state is %s", artifact, v.State)
	}
	b, err := c.GetBlob(ctx, id)
	if err == nil && b.DependsOn != nil {
		return b, failed("Blob %s is a thin snapshot, which is of no use without blob %s beneath it; make a flat one with sf-client instance snapshot --flatten",
			b.UUID, *b.DependsOn)
	}
	return b, err
}

// registryLogin says who the user is to a registry.
func (a *app) registryLogin(ref ociref.Reference, flags pushFlags) (remote.Option, error) {
	switch {
	case flags.username == "" && flags.passwordStdin:
		return nil, usageError{"--password-stdin is of no use without --username"}
	case flags.username != "" && !flags.passwordStdin:
		return nil, usageError{"--username wants --password-stdin, and the password on standard input"}
	case flags.username == "" && ref.Login != authn.Anonymous:
		return remote.WithAuth(ref.Login), nil
	case flags.username == "":
		return remote.WithAuthFromKeychain(authn.DefaultKeychain), nil
	}
	line, err := bufio.NewReader(io.LimitReader(a.in, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, failed("Cannot read the password: %v", err)
	}
	return remote.WithAuth(&authn.Basic{Username: flags.username, Password: strings.TrimRight(line, "\r\n")}), nil
}

// pushTransport is the library's, without its habit of asking for packed answers.
func pushTransport() http.RoundTripper {
	if t, ok := remote.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.DisableCompression = true
		return t
	}
	return remote.DefaultTransport
}

// pushFailed says what a registry's refusal means.
func pushFailed(ctx context.Context, ref ociref.Reference, err error) error {
	answer, ok := errors.AsType[*transport.Error](err)
	registry := ref.Image.Context().RegistryStr()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case ok && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return failed("The registry does not let you write to %s (%d %s); log in with docker login %s, or give --username and --password-stdin",
			ref, answer.StatusCode, http.StatusText(answer.StatusCode), registry)
	case ok:
		return failed("The registry refused %s: %v", ref, answer)
	}
	if known, ok := errors.AsType[failure](err); ok {
		return known
	}
	if cloud := cloudError(err); cloud != nil {
		return cloud
	}
	return failed("Cannot push to %s: %v", registry, err)
}

// annotations are what a manifest says of the blob in it.
func annotations(b api.Blob) map[string]string {
	said := map[string]string{"org.opencontainers.image.title": fileOf(b), annotationSize: strconv.FormatInt(b.Size, 10)}
	if b.SHA512 != nil {
		said[annotationSHA512] = *b.SHA512
	}
	return said
}

// The annotations of manifests that are ours.
const (
	annotationSHA512 = "com.shakenfist.blob.sha512"
	annotationSize   = "com.shakenfist.blob.size" // bytes
)

// isThere reports whether the registry has the blob already, packed the same way, under the tag.
func (p *push) isThere(want map[string]string, mediaType string) (v1.Hash, bool) {
	d, err := remote.Get(p.ref, p.options...)
	if err != nil || want[annotationSHA512] == "" {
		return v1.Hash{}, false // what is wrong will be told when we write
	}
	image, err := d.Image()
	if err != nil {
		return v1.Hash{}, false
	}
	m, err := image.Manifest()
	if err != nil || len(m.Layers) != 1 || string(m.Layers[0].MediaType) != mediaType || m.Annotations[annotationSHA512] != want[annotationSHA512] {
		return v1.Hash{}, false
	}
	return d.Digest, true
}
