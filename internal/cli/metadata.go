package cli

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// annotated is a kind of object that has metadata.
type annotated struct {
	object   string // with its article: "an instance"
	argument string // INSTANCE
	example  string // a reference to one
	complete completer
	get      func(c *client.Client, ctx context.Context, ref string) (api.Object, error)
	set      func(c *client.Client, ctx context.Context, ref, key string, value any) error
	delete   func(c *client.Client, ctx context.Context, ref, key string) error

	// value reads the value of a key; nil takes it as text.
	value func(key, text string) (any, error)
}

// metadataCommands returns the commands that change the metadata of a kind of object.
func (a *app) metadataCommands(o annotated) []*cobra.Command {
	kind := noun(o.object)
	long := "VALUE is text, and is not empty."
	if o.value != nil {
		long = "VALUE is text, and is not empty. For the keys tags and affinity it is JSON: a list of words, and an object " +
			"that has a number for each."
	}
	set := a.leaf(leaf{
		use: "set-metadata " + o.argument + " KEY VALUE", short: "Give a key of " + o.object + "'s metadata a value", long: long,
		example: "sf-client " + kind + " set-metadata " + o.example + " owner alice", complete: o.complete, next: o.keys,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			var value any = args[2]
			if o.value != nil {
				var err error
				if value, err = o.value(args[1], args[2]); err != nil {
					return err
				}
			}
			return a.quiet(o.set(c, ctx, args[0], args[1], value))
		},
	})
	remove := a.leaf(leaf{
		use: "delete-metadata " + o.argument + " KEY", short: "Remove a key from " + o.object + "'s metadata",
		long:    "A key that is not there may be removed.",
		example: "sf-client " + kind + " delete-metadata " + o.example + " owner", complete: o.complete, next: o.keys,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			return a.quiet(o.delete(c, ctx, args[0], args[1]))
		},
	})
	return []*cobra.Command{set, remove}
}

// keys completes the keys that an object's metadata has.
func (o annotated) keys(ref string) completer {
	return func(ctx context.Context, c *client.Client) ([]candidate, error) {
		m, err := o.get(c, ctx, ref)
		var all []candidate
		for _, key := range slices.Sorted(maps.Keys(m)) {
			all = append(all, candidate{key, plain(m[key])})
		}
		return all, err
	}
}

// instanceValue reads the value of a key of an instance's metadata: text, but JSON where the scheduler looks at it.
func instanceValue(key, text string) (any, error) {
	if key != "tags" && key != "affinity" {
		return text, nil
	}
	if !json.Valid([]byte(text)) {
		return nil, usageError{`the value of ` + key + ` must be JSON, such as tags=["web"] or affinity={"web":-1}`}
	}
	return json.RawMessage(text), nil
}

func (a *app) namespaceGetMetadata() *cobra.Command {
	return a.leaf(leaf{
		use: "get-metadata NAMESPACE", short: "Show the metadata of a namespace", example: "sf-client namespace get-metadata demo",
		complete: namespaceNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			o, err := c.NamespaceMetadata(ctx, args[0])
			if err != nil {
				return err
			}
			return a.pairs(o)
		},
	})
}

// pairs prints an object, a line for each key.
func (a *app) pairs(o api.Object) error {
	if a.format.structured() {
		return a.data(o)
	}
	var fields []field
	for _, key := range slices.Sorted(maps.Keys(o)) {
		fields = append(fields, field{harmless(key), plain(o[key])})
	}
	switch {
	case a.format == formatName:
		for _, f := range fields {
			a.printf("%s\n", f.label)
		}
		return nil
	case len(fields) == 0:
		return nil
	}
	return a.show(record{value: o, fields: fields})
}
