package cloudtest

import (
	"context"
	"os"
	"path/filepath"

	"github.com/shakenfist/shakenfist/api"
)

// Fetching is a story of images that are fetched, as they are and packed, made bootable, fetched again when they changed,
// compared with their checksums, mended, and forgotten by the cache.
func Fetching() Story { return galleryStory(8, fetching) }

func fetching(g *gallery) []act {
	return []act{
		{name: "cache an image", look: works, wanted: "disk created [1]", do: cache("disk")},
		{name: "cache a packed image", look: works, wanted: "disk created [1], disk.gz created [1]", do: cache("disk.gz")},
		{
			name: "cache an image that changed", look: works, wanted: "disk created [1+2], disk.gz created [1]",
			do: func(ctx context.Context, a *tenant) error {
				g.edition.Store(1)
				return cache("disk")(ctx, a)
			},
		},
		{name: "boot an image", look: guests, wanted: "web1 created on", do: boot("web1", bubbleImages+"/large")},
		{
			name: "its bootable form is kept", look: contents, wanted: "5 blobs, 1 transcodes, 0 damaged, 4 images",
			do: pass(late),
		},
		{
			name: "what is not used expires", look: contents, wanted: "5 blobs, 1 transcodes, 0 damaged, 1 images",
			do: pass(idle + late),
		},
		{
			name: "a copy is damaged", look: contents, wanted: "5 blobs, 1 transcodes, 1 damaged, 1 images",
			do: func(ctx context.Context, a *tenant) error {
				if err := damage(ctx, a, "disk"); err != nil {
					return err
				}
				return pass(recheck+late)(ctx, a)
			},
		},
		{
			name: "upload what was damaged", look: works,
			wanted: "copy created [1], disk created [1+2], disk.gz created [1], large created [1]",
			do: func(ctx context.Context, a *tenant) error {
				return send(ctx, a, "copy", painting("/disk", 1), nil)
			},
		},
		{name: "it is mended", look: contents, wanted: "5 blobs, 1 transcodes, 0 damaged, 1 images", do: pass(0)},
		{name: "delete the instance", look: guests, wanted: "", do: takeDown("web1")},
		{
			name: "its image expires too", look: contents, wanted: "4 blobs, 0 transcodes, 0 damaged, 0 images",
			do: pass(idle + late),
		},
		{name: "boot it again", look: guests, wanted: "web2 created on", do: boot("web2", bubbleImages+"/large")},
		{
			name: "delete its artifact", look: both(works, guests),
			wanted: "copy created [1], disk created [1+2], disk.gz created [1]; web2 created on", do: drop("large"),
		},
		{
			name: "delete an artifact", look: works, wanted: "copy created [1], disk.gz created [1]", do: drop("disk"),
		},
	}
}

// damage changes a byte of the newest version of an artifact, unless that was done before.
func damage(ctx context.Context, a *tenant, name string) error {
	found, err := artifactCalled(ctx, a, name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(a.world.dir, "blobs", found.BlobUUID[:2], found.BlobUUID), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // a write that failed is told
	_, err = f.WriteAt([]byte("x"), 3*sector)
	return err
}

// send uploads content in two pieces and makes it a version of an artifact.
func send(ctx context.Context, a *tenant, name string, content []byte, kind *string) error {
	u, err := a.admin().CreateUpload(ctx)
	if err != nil {
		return err
	}
	half := len(content) / 2
	for _, piece := range [][]byte{content[:half], content[half:]} {
		if _, err := a.admin().AppendUpload(ctx, u.UUID, piece); err != nil {
			return err
		}
	}
	_, err = a.admin().UploadArtifact(ctx, name, api.UploadArtifact{UploadUUID: &u.UUID, Type: kind})
	return err
}
