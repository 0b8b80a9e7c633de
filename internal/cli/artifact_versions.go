package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) artifactVersions() *cobra.Command {
	return a.leaf(leaf{
		use: "versions ARTIFACT", short: "Print the blobs of an artifact, always as JSON",
		long:    "The formats csv and name list them.",
		example: "sf-client artifact versions 69ff59a7-5d07-43b4-8f29-bc2ef1b44f6a", complete: artifactNames,
		columns: []string{"index", "uuid", "state", "size"},
		run: func(ctx context.Context, c *client.Client, args []string) error {
			l, err := c.ArtifactVersions(ctx, args[0])
			if err != nil {
				return err
			}
			return a.versions(l)
		},
	})
}

func (a *app) versions(l api.List[api.IndexedBlob]) error {
	if (a.format == formatPretty || a.format == formatSimple) && a.columns.picked == "" {
		return a.data(l)
	}
	var rows [][]string
	for _, v := range l {
		rows = append(rows, []string{strconv.Itoa(v.Index), v.UUID, v.State, strconv.FormatInt(v.Size, 10)})
	}
	return a.list(listing{value: l, rows: rows, key: "uuid"})
}

func (a *app) artifactDeleteVersion() *cobra.Command {
	return a.leaf(leaf{
		use: "delete-version ARTIFACT VERSION", short: "Delete a version of an artifact",
		long: "VERSION is the number that artifact show has before it. With its last version the artifact is deleted. Instances that were " +
			"made from it are not touched.",
		example:  "sf-client artifact delete-version 69ff59a7-5d07-43b4-8f29-bc2ef1b44f6a 3",
		complete: artifactNames, next: versionNumbers,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 1 {
				return usageError{strconv.Quote(args[1]) + " is no version: want its number, as artifact show has it"}
			}
			v, err := c.DeleteArtifactVersion(ctx, args[0], n)
			if err != nil {
				return err
			}
			if v.State == api.StateDeleted {
				a.tellf("That was the last version: the artifact is deleted.\n")
			}
			return a.done(v, v.UUID)
		},
	})
}

func (a *app) artifactMaxVersions() *cobra.Command {
	return a.leaf(leaf{
		use: "max-versions ARTIFACT NUMBER", short: "Say how many versions an artifact keeps",
		long:    "NUMBER is from 1 to 100. If there are more, the oldest ones go at once.",
		example: "sf-client artifact max-versions 69ff59a7-5d07-43b4-8f29-bc2ef1b44f6a 5", complete: artifactNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 1 {
				return usageError{strconv.Quote(args[1]) + " is no number of versions: want 1 to 100"}
			}
			return a.quiet(c.SetMaxVersions(ctx, args[0], n))
		},
	})
}

// artifactSharing is the command share or unshare.
func (a *app) artifactSharing(name, short, long string, act func(c *client.Client, ctx context.Context, ref string) (api.Artifact, error)) *cobra.Command {
	return a.leaf(leaf{
		use: name + " ARTIFACT", short: short, long: long,
		example: "sf-client artifact " + name + " 69ff59a7-5d07-43b4-8f29-bc2ef1b44f6a", complete: artifactNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			v, err := act(c, ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(v, v.UUID)
		},
	})
}

// versionNumbers offers the versions of an artifact.
func versionNumbers(artifact string) completer {
	return func(ctx context.Context, c *client.Client) ([]candidate, error) {
		v, err := c.GetArtifact(ctx, artifact)
		var all []candidate
		for _, n := range slices.Sorted(maps.Keys(v.Blobs)) {
			b := v.Blobs[n]
			all = append(all, candidate{strconv.Itoa(n), "blob " + b.UUID + ", " + bytesText(float64(b.Size))})
		}
		return all, err
	}
}
