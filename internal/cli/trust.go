package cli

import (
	"bufio"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) namespaceTrust(
	name, short, long string, next func(namespace string) completer,
	act func(c *client.Client, ctx context.Context, namespace, external string) (api.Namespace, error),
) *cobra.Command {
	return a.leaf(leaf{
		use: name + " NAMESPACE OTHER", short: short, long: long, example: "sf-client namespace " + name + " demo build",
		complete: namespaceNames, next: next,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			n, err := act(c, ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return a.done(n, n.Name)
		},
	})
}

func (a *app) namespaceAddTrust() *cobra.Command {
	return a.namespaceTrust("add-trust", "Let another namespace act in a namespace",
		"OTHER may then use the artifacts of NAMESPACE, make instances in it and change its keys. It need not exist.",
		func(string) completer { return namespaceNames }, (*client.Client).AddTrust)
}

func (a *app) namespaceRemoveTrust() *cobra.Command {
	return a.namespaceTrust("remove-trust", "Let another namespace act in a namespace no more",
		"That of the namespace system cannot be removed.", trustedNames, (*client.Client).RemoveTrust)
}

func (a *app) namespaceUpdateKey() *cobra.Command {
	return a.leaf(leaf{
		use: "update-key NAMESPACE KEYNAME KEY", short: "Give a key of a namespace a new secret",
		long: "Whoever is logged in with the old one is logged out. KEY is the secret; a - reads it from the first line of stdin. " +
			"There must be a key of that name; see add-key.",
		example:  "sf-client namespace update-key demo deploy s3cret\nsf-client namespace update-key demo deploy - < secret.txt",
		complete: namespaceNames, next: keyNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			key, err := a.secret(args[2])
			if err != nil {
				return err
			}
			return a.quiet(c.UpdateKey(ctx, args[0], api.AddKey{KeyName: args[1], Key: key}))
		},
	})
}

// secret returns the secret that an argument gives: itself, or if it is -, the first line of stdin.
func (a *app) secret(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	line, err := bufio.NewReader(a.in).ReadString('\n')
	key := strings.TrimRight(line, "\r\n")
	if key == "" {
		return "", failed("There is no key on stdin: %v", err)
	}
	return key, nil
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
