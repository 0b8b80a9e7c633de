// Package ociref understands the URLs of disks that are kept in container registries:
// oci://[user:password@]registry[:port]/repository[:tag|@digest].
package ociref

import (
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/shakenfist/shakenfist/fault"
)

// Schemes of the URLs.
const (
	Scheme      = "oci"
	PlainScheme = "oci+http" // without TLS, wherever the registry is; Scheme does without only on loopback and private addresses
)

// Folder is the folder of a container image in which the disk of a virtual machine is: the containerdisk convention.
const Folder = "/disk"

// What repositories and tags may be called: OCI distribution 1.1, "Pulling manifests".
var (
	repositoryName = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagName        = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// maxRepository bounds the names of repositories, in characters.
const maxRepository = 255

// Reference is an image in a container registry, and as whom to ask for it.
type Reference struct {
	Image name.Reference
	Login authn.Authenticator // authn.Anonymous if the URL names no user

	scheme string
}

// Is reports whether a source is an image in a container registry.
func Is(source string) bool {
	return strings.HasPrefix(source, Scheme+"://") || strings.HasPrefix(source, PlainScheme+"://")
}

// Parse understands a URL. It fails with fault.Invalid; the text never has the password.
func Parse(source string) (Reference, error) {
	u, err := url.Parse(source)
	switch {
	case err != nil || !Is(source) || u.Hostname() == "":
		return Reference{}, wrong(u, "it names no registry; write oci://registry/repository:tag")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Reference{}, wrong(u, "it has more than a registry, a repository and a tag")
	}
	var options []name.Option
	if u.Scheme == PlainScheme {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(u.Host, options...)
	if err != nil {
		return Reference{}, wrong(u, "it names no registry that could be")
	}
	r := Reference{Login: authn.Anonymous, scheme: u.Scheme}
	if r.Image, err = image(u, registry); err != nil {
		return Reference{}, err
	}
	if u.User != nil {
		password, _ := u.User.Password()
		r.Login = authn.FromConfig(authn.AuthConfig{Username: u.User.Username(), Password: password})
	}
	return r, nil
}

func image(u *url.URL, registry name.Registry) (name.Reference, error) {
	repository, tag, digest := split(strings.TrimPrefix(u.Path, "/"))
	if len(repository) > maxRepository || !repositoryName.MatchString(repository) {
		return nil, wrong(u, "%.80q is no repository: one is lower-case words with dots, dashes and slashes between them", repository)
	}
	repo := registry.Repo(repository)
	switch hash, err := v1.NewHash(digest); {
	case digest != "" && err != nil:
		return nil, wrong(u, "%.80q is no digest: one is sha256: or sha512: and lower-case hex digits", digest)
	case digest != "":
		return repo.Digest(hash.String()), nil
	case !tagName.MatchString(tag):
		return nil, wrong(u, "%.80q is no tag: one is at most 128 letters, digits, dots, dashes and underscores", tag)
	}
	return repo.Tag(tag), nil
}

// split takes repository[:tag][@digest] apart. A digest says more than a tag; with neither the tag is latest.
func split(text string) (repository, tag, digest string) {
	text, digest, _ = strings.Cut(text, "@")
	if colon := strings.LastIndexByte(text, ':'); colon > strings.LastIndexByte(text, '/') {
		return text[:colon], text[colon+1:], digest
	}
	return text, "latest", digest
}

// wrong is the error for a URL that is none, which is named without what may be secret in it.
func wrong(u *url.URL, format string, args ...any) error {
	shown := "(unreadable)"
	if u != nil {
		shown = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, Opaque: u.Opaque}).String()
	}
	return fault.New("ociref.Parse", fault.Invalid, "", "url %.80q: "+format, append([]any{shown}, args...)...)
}

// Name returns what an image is called in short: the last part of its repository, and its tag if it has one.
func (r Reference) Name() string {
	last := path.Base(r.Image.Context().RepositoryStr())
	if tag, ok := r.Image.(name.Tag); ok {
		return last + ":" + tag.TagStr()
	}
	return last
}

// String returns the URL without user and password.
func (r Reference) String() string { return r.scheme + "://" + r.Image.Name() }

// At returns the reference to an image of the same repository by its digest.
func (r Reference) At(digest v1.Hash) Reference {
	r.Image = r.Image.Context().Digest(digest.String())
	return r
}
