package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) artifactGroup() *cobra.Command {
	g := group("artifact", "Images, snapshots and labels, and their versions", "sf-client artifact cache debian:12",
		a.artifactCache(), a.artifactUpload(), a.artifactList(), a.artifactShow(), a.artifactDownload(), a.artifactPush(), a.artifactDelete(),
		a.artifactVersions(), a.artifactDeleteVersion(), a.artifactMaxVersions(),
		a.artifactSharing("share", "Let every namespace use an artifact", "Only artifacts of the namespace system can be shared.", (*client.Client).ShareArtifact),
		a.artifactSharing("unshare", "End that every namespace may use an artifact", "Instances keep what they have of it.", (*client.Client).UnshareArtifact),
		a.eventsCommand("an artifact", "ARTIFACT", artifactNames, (*client.Client).ArtifactEvents))
	g.AddCommand(a.metadataCommands(annotated{
		object: "an artifact", argument: "ARTIFACT", example: "69ff59a7-5d07-43b4-8f29-bc2ef1b44f6a", complete: artifactNames,
		get: (*client.Client).ArtifactMetadata,
		set: (*client.Client).SetArtifactMetadata, delete: (*client.Client).DeleteArtifactMetadata,
	})...)
	return g
}

func (a *app) artifactCache() *cobra.Command {
	r, namespace := api.CreateArtifact{}, ""
	return a.leaf(leaf{
		use: "cache URL", short: "Have an image fetched",
		long: "So that instances need not wait for it. If it was fetched before, it is fetched again only if it changed since. URL " +
			"may be a shorthand such as debian:12.",
		example: "sf-client artifact cache https://example.com/images/base.qcow2\nsf-client artifact cache debian:12 --shared --wait",
		waits:   true,
		flags: func(f *pflag.FlagSet) {
			choose(f, &r.Shared, true, "shared", "let every namespace use it; for the namespace system only")
			choose(f, &r.Shared, false, "not-shared", "do not (the default)")
			namespaceFlag(f, &namespace)
		},
		run: func(ctx context.Context, c *client.Client, args []string) error {
			r.URL = args[0]
			v, err := c.In(namespace).CreateArtifact(ctx, r)
			if err != nil {
				return err
			}
			return a.artifactMade(ctx, c, v)
		},
	})
}

func (a *app) artifactList() *cobra.Command {
	return a.leaf(leaf{
		use: "list", short: "List the artifacts you may use",
		example: "sf-client artifact list\nsf-client artifact list --columns uuid,source_url",
		columns: []string{"uuid", "namespace", "type", "source url", "versions", "state", "shared"},
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			l, err := c.ListArtifacts(ctx, "")
			if err != nil {
				return err
			}
			return a.artifacts(l)
		},
	})
}

func (a *app) artifacts(l api.List[api.Artifact]) error {
	var rows [][]string
	for _, v := range l {
		versions := fmt.Sprintf("%d of %d", len(v.Blobs), v.Index)
		rows = append(rows, []string{v.UUID, v.Namespace, v.Type, v.SourceURL, versions, v.State, yesNo(v.Shared)})
	}
	return a.list(listing{value: l, rows: rows, key: "uuid"})
}

func (a *app) artifactShow() *cobra.Command {
	return a.leaf(leaf{
		use: "show ARTIFACT", short: "Show an artifact and its versions",
		example: "sf-client artifact show 69ff59a7-5d07-43b4-8f29-bc2ef1b44f6a", complete: artifactNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			v, err := c.GetArtifact(ctx, args[0])
			if err != nil {
				return err
			}
			return a.artifact(v)
		},
	})
}

func (a *app) artifact(v api.Artifact) error {
	value, err := pick(v, "uuid", "namespace", "artifact_type", "state", "source_url", "blob_uuid", "index", "blobs",
		"max_versions", "shared", "metadata")
	if err != nil {
		return err
	}
	return a.show(record{value: value, fields: []field{
		{"uuid", v.UUID},
		{"namespace", v.Namespace},
		{"type", v.Type},
		{"state", v.State},
		{"source url", v.SourceURL},
		{"current version blob uuid", v.BlobUUID},
		{"number of versions", strconv.Itoa(len(v.Blobs))},
		{"maximum versions", strconv.Itoa(v.MaxVersions)},
		{"shared", yesNo(v.Shared)},
	}, more: func() error {
		if err := a.metadata(v.Metadata); err != nil {
			return err
		}
		return a.artifactBlobs(v.Blobs)
	}})
}

// artifactBlobs prints the versions of an artifact, sizes in MiB.
func (a *app) artifactBlobs(blobs map[int]api.ArtifactBlob) error {
	a.printf("\n")
	indexes := slices.Sorted(maps.Keys(blobs))
	if a.format == formatSimple {
		var rows [][]string
		for _, n := range indexes {
			b := blobs[n]
			rows = append(rows, []string{
				"version", strconv.Itoa(n), b.UUID, fmt.Sprintf("%.1fMB", float64(b.Size)/mib), strings.Join(b.Instances, " "),
			})
		}
		return a.simple([]string{"version", "index", "blob uuid", "size", "instances"}, rows)
	}
	a.printf("Versions:\n")
	var fields []field
	for _, n := range indexes {
		b := blobs[n]
		text := fmt.Sprintf("blob %s is %.1fMB", b.UUID, float64(b.Size)/mib)
		if len(b.Instances) > 0 {
			text += ", used by " + strings.Join(b.Instances, ", ")
		}
		fields = append(fields, field{strconv.Itoa(n), text})
	}
	a.aligned("    ", fields)
	return nil
}

func (a *app) artifactDelete() *cobra.Command {
	return a.leaf(leaf{
		use: "delete ARTIFACT", short: "Delete an artifact with all its versions",
		long:    "Instances that were made from it are not touched.",
		example: "sf-client artifact delete 69ff59a7-5d07-43b4-8f29-bc2ef1b44f6a", complete: artifactNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			v, err := c.DeleteArtifact(ctx, args[0])
			if err != nil {
				return err
			}
			if v.UUID == "" { // it was deleted already
				return a.done(nil, args[0])
			}
			return a.done(v, v.UUID)
		},
	})
}
