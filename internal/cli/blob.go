package cli

import (
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) blobGroup() *cobra.Command {
	const example = "578da8b6-6f4b-4a35-9f2b-6d0c8f5e3a11"
	g := group("blob", "What artifacts are made of", "sf-client blob show "+example, a.blobList(), a.blobShow(), a.blobSHA512())
	g.AddCommand(a.metadataCommands(annotated{
		object: "a blob", argument: "UUID", example: example, complete: blobNames,
		get: (*client.Client).BlobMetadata,
		set: (*client.Client).SetBlobMetadata, delete: (*client.Client).DeleteBlobMetadata,
	})...)
	return g
}

func (a *app) blobList() *cobra.Command {
	var check bool
	return a.leaf(leaf{
		use: "list", short: "List blobs, sizes in GiB; for the namespace system only",
		long: "With --audit, the reference count has beside it how many artifacts, instances and other blobs say that they refer " +
			"to the blob, and !!! where that differs.",
		example: "sf-client blob list\nsf-client blob list --columns uuid,size,instances\nsf-client blob list --audit",
		flags: func(f *pflag.FlagSet) {
			choose(f, &check, true, "audit", "compare reference counts with what refers to the blobs")
			choose(f, &check, false, "no-audit", "do not (the default)")
		},
		columns: []string{
			"uuid", "state", "size", "virtual size", "file format", "mime type", "modified", "fetched at", "locations", "reference count", "instances",
		},
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			l, err := c.ListBlobs(ctx, "")
			if err != nil {
				return err
			}
			if !check {
				return a.blobs(l, nil)
			}
			found, err := countReferences(ctx, c, l)
			if err != nil {
				return err
			}
			return a.blobs(l, found)
		},
	})
}

// blobs prints blobs, and what an audit found out if it is not nil.
func (a *app) blobs(l api.List[api.Blob], found audit) error {
	var rows [][]string
	for _, b := range l {
		i := imageOf(b)
		rows = append(rows, []string{
			b.UUID, b.State, gibibytes(float64(b.Size)), gibibytes(float64(i.VirtualSize)), i.FileFormat, i.MIMEType,
			local(b.Modified), local(b.FetchedAt), strings.Join(slices.Sorted(slices.Values(b.Locations)), " "),
			found.references(b), a.lines(b.Instances, " "),
		})
	}
	return a.list(listing{value: found.beside(l), rows: rows, key: "uuid"})
}

// imageOf returns what is known of a blob's content, the zero value if it was not looked at yet.
func imageOf(b api.Blob) api.ImageInfo {
	if b.ImageInfo == nil {
		return api.ImageInfo{}
	}
	return *b.ImageInfo
}

func (a *app) blobShow() *cobra.Command {
	return a.leaf(leaf{
		use: "show UUID", short: "Show a blob", example: "sf-client blob show 578da8b6-6f4b-4a35-9f2b-6d0c8f5e3a11",
		complete: blobNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			b, err := c.GetBlob(ctx, args[0])
			if err != nil {
				return err
			}
			return a.blob(b)
		},
	})
}

func (a *app) blobSHA512() *cobra.Command {
	const hash = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
	return a.leaf(leaf{
		use: "sha512 HASH", short: "Show the blob whose content has a SHA-512", long: "HASH is in hex, as sha512sum prints it.",
		example: "sf-client blob sha512 " + hash,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			if sum, err := hex.DecodeString(args[0]); err != nil || len(sum) != sha512.Size {
				return usageError{strconv.Quote(args[0]) + " is no SHA-512: want 128 hex digits, as sha512sum prints them"}
			}
			if can, err := c.Has(ctx, api.CanBlobSearchByHash); err != nil || !can {
				return cmp.Or(err, failed("The server is too old to look for blobs by their checksums"))
			}
			b, ok, err := c.FindBlob(ctx, "sha512", strings.ToLower(args[0]))
			if err != nil {
				return err
			}
			if !ok {
				return failed("No blob has that SHA-512")
			}
			return a.blob(b)
		},
	})
}

func (a *app) blob(b api.Blob) error {
	i, used := imageOf(b), "never"
	if b.LastUsed != nil {
		used = local(*b.LastUsed)
	}
	return a.show(record{value: b, fields: []field{
		{"uuid", b.UUID},
		{"state", b.State},
		{"actual size", strconv.FormatInt(b.Size, 10)},
		{"virtual size", strconv.FormatInt(int64(i.VirtualSize), 10)},
		{"sha512", orNone(b.SHA512)},
		{"format", i.FileFormat},
		{"fetched at", local(b.FetchedAt)},
		{"last used", used},
		{"reference count", strconv.Itoa(b.ReferenceCount)},
		{"locations", strings.Join(slices.Sorted(slices.Values(b.Locations)), " ")},
		{"damaged copies", strings.Join(slices.Sorted(slices.Values(b.Damaged)), " ")},
		{"depends on", orNone(b.DependsOn)},
		{"sha256", orNone(b.SHA256)},
		{"sha1", orNone(b.SHA1)},
		{"xxh128", orNone(b.XXH128)},
	}, more: func() error {
		if err := a.metadata(b.Metadata); err != nil {
			return err
		}
		a.transcodes(b.Transcodes)
		a.names("Users", "user", b.Instances)
		return nil
	}})
}

// transcodes prints the blobs that are this one in another format.
func (a *app) transcodes(byFormat map[string]string) {
	a.printf("\n")
	var fields []field
	for _, format := range slices.Sorted(maps.Keys(byFormat)) {
		fields = append(fields, field{harmless(format), byFormat[format]})
	}
	if a.format == formatPretty {
		a.printf("Transcodes:\n")
		a.aligned("    ", fields)
		return
	}
	for _, f := range fields {
		a.printf("transcode,%s,%s\n", f.label, harmless(f.value))
	}
}
