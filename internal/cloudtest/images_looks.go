package cloudtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// What the acts of galleries change.

// works lists the artifacts with the indices of their versions.
func works(ctx context.Context, a *tenant) (string, error) {
	all, err := a.admin().ListArtifacts(ctx, "")
	return named(all, err, func(f api.Artifact) string {
		text := calledAs(f) + " " + f.State + " " + strings.ReplaceAll(fmt.Sprint(indices(f)), " ", "+")
		if f.Shared {
			text += " shared"
		}
		return text
	})
}

func indices(f api.Artifact) []int {
	var all []int
	for index := range f.Blobs {
		all = append(all, index)
	}
	slices.Sort(all)
	return all
}

// calledAs is an artifact's name in these tests.
func calledAs(f api.Artifact) string {
	for _, before := range []string{bubbleImages + "/", "sf://upload/system/"} {
		if rest, ok := strings.CutPrefix(f.SourceURL, before); ok {
			return rest
		}
	}
	if rest, ok := strings.CutPrefix(f.SourceURL, "sf://label/system/"); ok {
		return "label " + rest
	}
	return "snapshot " + filepath.Base(f.SourceURL)
}

func artifactCalled(ctx context.Context, a *tenant, name string) (api.Artifact, error) {
	all, err := a.admin().ListArtifacts(ctx, "")
	for _, f := range all {
		if calledAs(f) == name {
			return f, nil
		}
	}
	if err == nil {
		_, err = a.admin().GetArtifact(ctx, "00000000-0000-4000-8000-000000000000") // says that it is not found
	}
	return api.Artifact{}, err
}

func guests(ctx context.Context, a *tenant) (string, error) {
	all, err := a.admin().ListInstances(ctx, false)
	return named(all, err, func(i api.Instance) string { return i.Name + " " + i.State + " " + i.PowerState })
}

// contents counts the blobs, those of them that are transcodes or damaged, and the bootable images.
func contents(ctx context.Context, a *tenant) (string, error) {
	all, err := a.admin().ListBlobs(ctx, "")
	transcodes, damaged := 0, 0
	for _, b := range all {
		transcodes += len(b.Transcodes)
		damaged += len(b.Damaged)
	}
	images, e := os.ReadDir(filepath.Join(a.world.dir, "image_cache"))
	if errors.Is(e, os.ErrNotExist) {
		e = nil
	}
	return fmt.Sprintf("%d blobs, %d transcodes, %d damaged, %d images", len(all), transcodes, damaged, len(images)), errors.Join(err, e)
}

// both joins two looks.
func both(one, two func(context.Context, *tenant) (string, error)) func(context.Context, *tenant) (string, error) {
	return func(ctx context.Context, a *tenant) (string, error) {
		s, err := one(ctx, a)
		t, e := two(ctx, a)
		return s + "; " + t, errors.Join(err, e)
	}
}

// uploads lists how many bytes each upload has.
func uploads(_ context.Context, a *tenant) (string, error) {
	all, err := os.ReadDir(filepath.Join(a.world.dir, "uploads"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return named(all, err, func(e os.DirEntry) string {
		info, err := e.Info()
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(info.Size())
	})
}
