package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// Sending is a story of content that is uploaded piece by piece, of artifacts and labels that it becomes, and of instances
// that boot from them by every name they have.
func Sending() Story { return galleryStory(12, sending) }

func sending(g *gallery) []act {
	disk := painting("uploaded", 0)
	return append(pieces(g, disk), labels()...)
}

// pieces sends an image.
func pieces(g *gallery, disk []byte) []act {
	half := len(disk) / 2
	other := "other"
	return []act{
		{
			name: "begin an upload", look: g.sent, wanted: "0",
			do: func(ctx context.Context, a *tenant) error {
				u, err := a.admin().CreateUpload(ctx)
				g.upload = u.UUID
				return err
			},
		},
		{name: "send half of it", look: g.sent, wanted: fmt.Sprint(half), do: g.append(0, disk[:half])},
		{
			name: "cut a part off", look: g.sent, wanted: "1000",
			do: func(ctx context.Context, a *tenant) error { return a.admin().TruncateUpload(ctx, g.upload, 1000) },
		},
		{name: "send the rest", look: g.sent, wanted: fmt.Sprint(len(disk)), do: g.append(1000, disk[1000:])},
		{
			name: "make it an artifact", look: both(works, g.sent), wanted: "tools created [1]; ",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().UploadArtifact(ctx, "tools", api.UploadArtifact{UploadUUID: &g.upload})
				return err
			},
		},
		{
			name: "upload another version, packed", look: works, wanted: "tools created [1+2]",
			do: once("tools", 2, func(ctx context.Context, a *tenant) error {
				return send(ctx, a, "tools", packed(painting("uploaded", 1)), nil)
			}),
		},
		{
			name: "upload something else", look: works, wanted: "notes created [1], tools created [1+2]",
			do: func(ctx context.Context, a *tenant) error { return send(ctx, a, "notes", []byte("some words"), &other) },
		},
		{
			name: "make an artifact of a blob", look: both(works, contents),
			wanted: "copy created [1], notes created [1], tools created [1+2]; 3 blobs, 0 transcodes, 0 damaged, 0 images",
			do: func(ctx context.Context, a *tenant) error {
				id, err := blobCalled(ctx, a, "tools", 2)
				if err != nil {
					return err
				}
				_, err = a.admin().UploadArtifact(ctx, "copy", api.UploadArtifact{BlobUUID: &id})
				return err
			},
		},
		{name: "begin what nobody ends", look: g.begun, wanted: "began", do: g.abandon},
	}
}

// append adds a piece to the upload where it has that many bytes.
func (g *gallery) append(at int64, piece []byte) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		total, err := a.admin().AppendUpload(ctx, g.upload, nil)
		if err != nil || total != at {
			return err
		}
		_, err = a.admin().AppendUpload(ctx, g.upload, piece)
		return err
	}
}

// sent tells how many bytes the upload has; "" if it is gone.
func (g *gallery) sent(_ context.Context, a *tenant) (string, error) {
	if g.upload == "" {
		return "", nil
	}
	info, err := os.Stat(filepath.Join(a.world.dir, "uploads", g.upload))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprint(info.Size()), nil
}

// abandon begins an upload, of which nobody will hear again.
func (g *gallery) abandon(ctx context.Context, a *tenant) error {
	u, err := a.admin().CreateUpload(ctx)
	if err == nil {
		_, err = a.admin().AppendUpload(ctx, u.UUID, []byte("in vain"))
	}
	return err
}

func (g *gallery) begun(ctx context.Context, a *tenant) (string, error) {
	all, err := uploads(ctx, a)
	if strings.Contains(all, "7") {
		return "began", err
	}
	return "", err
}

// once does something unless the artifact has so many versions.
func once(name string, versions int, do func(context.Context, *tenant) error) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		found, err := artifactCalled(ctx, a, name)
		if err != nil && !errors.Is(err, fault.NotFound) || len(found.Blobs) == versions {
			return err
		}
		return do(ctx, a)
	}
}

// blobCalled is the blob of a version of an artifact.
func blobCalled(ctx context.Context, a *tenant, name string, index int) (string, error) {
	found, err := artifactCalled(ctx, a, name)
	if err != nil {
		return "", err
	}
	b, ok := found.Blobs[index]
	if !ok {
		return "", fmt.Errorf("%s has no version %d: %w", name, index, fault.NotFound)
	}
	return b.UUID, nil
}

// labels has labels mean one blob after the other, boots from them, and takes versions away.
func labels() []act {
	one := 1
	return []act{
		{name: "label", look: label, wanted: "label nightly created [1]", do: mark("tools", 1, 0)},
		{name: "label again", look: label, wanted: "label nightly created [1+2]", do: mark("tools", 2, 2)},
		{name: "boot from the label", look: guests, wanted: "web1 created on", do: boot("web1", "label:nightly")},
		{name: "label once more", look: label, wanted: "label nightly created [2+3]", do: mark("tools", 1, 0)},
		{
			name: "delete a version", look: works,
			wanted: "copy created [1], label nightly created [2+3], notes created [1], tools created [2]",
			do: func(ctx context.Context, a *tenant) error {
				found, err := artifactCalled(ctx, a, "tools")
				if err != nil {
					return err
				}
				_, err = a.admin().DeleteArtifactVersion(ctx, found.UUID, 1)
				return err
			},
		},
		{
			name: "keep one version", look: both(label, contents),
			wanted: "label nightly created [3]; 3 blobs, 0 transcodes, 0 damaged, 1 images",
			do: func(ctx context.Context, a *tenant) error {
				found, err := artifactCalled(ctx, a, "label nightly")
				if err != nil {
					return err
				}
				return a.admin().SetMaxVersions(ctx, found.UUID, one)
			},
		},
		{name: "label something else", look: both(label, contents), // nothing else has what the label meant
			wanted: "label nightly created [4]; 2 blobs, 0 transcodes, 0 damaged, 1 images", do: mark("copy", 1, 0)},
		{name: "share", look: works, wanted: "copy created [1] shared, label nightly created [4], notes created [1], tools created [2]", do: share(true)},
		{name: "unshare", look: works, wanted: "copy created [1], label nightly created [4], notes created [1], tools created [2]", do: share(false)},
		{
			name: "boot from an upload", look: guests, wanted: "web1 created on, web2 created on",
			do: boot("web2", "sf://upload/system/copy"),
		},
		{
			name: "delete the label", look: works, wanted: "copy created [1], notes created [1], tools created [2]",
			do: func(ctx context.Context, a *tenant) error {
				_, err := a.admin().DeleteLabel(ctx, "nightly")
				return err
			},
		},
		{name: "delete what an instance uses", look: works, wanted: "notes created [1], tools created [2]", do: drop("copy")},
		{name: "delete the rest of it", look: both(works, contents), // instances keep it
			wanted: "notes created [1]; 2 blobs, 0 transcodes, 0 damaged, 1 images", do: drop("tools")},
	}
}

func label(ctx context.Context, a *tenant) (string, error) {
	all, err := works(ctx, a)
	for one := range strings.SplitSeq(all, ", ") {
		if strings.HasPrefix(one, "label ") {
			return one, err
		}
	}
	return "", err
}

// mark has the label nightly mean a version of an artifact, and keep at most so many blobs; 0: as it is.
func mark(name string, index, most int) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		id, err := blobCalled(ctx, a, name, index)
		if err != nil {
			return err
		}
		r := api.UpdateLabel{BlobUUID: id}
		if most > 0 {
			r.MaxVersions = &most
		}
		_, err = a.admin().UpdateLabel(ctx, "nightly", r)
		return err
	}
}

func share(with bool) func(context.Context, *tenant) error {
	return func(ctx context.Context, a *tenant) error {
		found, err := artifactCalled(ctx, a, "copy")
		if err != nil {
			return err
		}
		if with {
			_, err = a.admin().ShareArtifact(ctx, found.UUID)
		} else {
			_, err = a.admin().UnshareArtifact(ctx, found.UUID)
		}
		return err
	}
}
