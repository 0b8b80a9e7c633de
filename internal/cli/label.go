package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) labelGroup() *cobra.Command {
	return group("label", "Names of blobs, from which instances are made", "sf-client label update tested 578da8b6-6f4b-4a35-9f2b-6d0c8f5e3a11",
		a.labelUpdate(), a.labelShow(), a.labelDelete())
}

func (a *app) labelUpdate() *cobra.Command {
	return a.leaf(leaf{
		use: "update NAME BLOB", short: "Have a label mean a blob",
		long: "NAME is the name of a label, or namespace/name; there need be no such label yet. Instances are made from it with disks such as " +
			"8@label:NAME. What it meant before is kept as an older version.",
		example: "sf-client label update tested 578da8b6-6f4b-4a35-9f2b-6d0c8f5e3a11\n" +
			"sf-client label update demo/tested 578da8b6-6f4b-4a35-9f2b-6d0c8f5e3a11",
		complete: labelNames, next: func(string) completer { return versionBlobs },
		run: func(ctx context.Context, c *client.Client, args []string) error {
			v, err := c.UpdateLabel(ctx, args[0], api.UpdateLabel{BlobUUID: args[1]})
			if err != nil {
				return err
			}
			return a.done(v, v.UUID)
		},
	})
}

func (a *app) labelShow() *cobra.Command {
	return a.leaf(leaf{
		use: "show NAME", short: "Show a label and the blobs that it means and meant", example: "sf-client label show tested",
		complete: labelNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			v, err := c.GetLabel(ctx, args[0])
			if err != nil {
				return err
			}
			return a.artifact(v)
		},
	})
}

func (a *app) labelDelete() *cobra.Command {
	return a.leaf(leaf{
		use: "delete NAME", short: "Delete a label", long: "Instances that were made from it are not touched.",
		example: "sf-client label delete tested", complete: labelNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			v, err := c.DeleteLabel(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(v, v.UUID)
		},
	})
}

// labelNames offers the labels that may be used, with their namespaces.
func labelNames(ctx context.Context, c *client.Client) ([]candidate, error) {
	list, err := c.ListArtifacts(ctx, "")
	var all []candidate
	for _, v := range list {
		if name, ok := strings.CutPrefix(v.SourceURL, "sf://label/"); ok && v.Type == "label" {
			all = append(all, candidate{name, "blob " + v.BlobUUID})
		}
	}
	return all, err
}

// versionBlobs offers the blobs that artifacts consist of, which any namespace may see.
func versionBlobs(ctx context.Context, c *client.Client) ([]candidate, error) {
	list, err := c.ListArtifacts(ctx, "")
	var all []candidate
	for _, v := range list {
		for _, b := range v.Blobs {
			all = append(all, candidate{b.UUID, v.Type + " " + v.SourceURL})
		}
	}
	return all, err
}
