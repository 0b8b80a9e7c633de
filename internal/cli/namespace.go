package cli

import (
	"bufio"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) namespaceGroup() *cobra.Command {
	g := group("namespace", "Tenants and their keys", "sf-client namespace list",
		a.namespaceList(), a.namespaceShow(), a.namespaceCreate(), a.namespaceDelete(), a.namespaceClean(), a.namespaceAddKey(),
		a.namespaceUpdateKey(), a.namespaceDeleteKey(), a.namespaceAddTrust(), a.namespaceRemoveTrust(), a.namespaceGetMetadata())
	g.AddCommand(a.metadataCommands(annotated{
		object: "a namespace", argument: "NAMESPACE", example: "demo", complete: namespaceNames,
		get: (*client.Client).NamespaceMetadata,
		set: (*client.Client).SetNamespaceMetadata, delete: (*client.Client).DeleteNamespaceMetadata,
	})...)
	return g
}

func (a *app) namespaceList() *cobra.Command {
	return a.leaf(leaf{
		use: "list", short: "List the namespaces you may act in", example: "sf-client namespace list",
		columns: []string{"name", "state", "trusted namespaces"},
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			l, err := c.ListNamespaces(ctx)
			if err != nil {
				return err
			}
			return a.namespaces(l)
		},
	})
}

func (a *app) namespaces(l api.List[api.Namespace]) error {
	width := 3
	if a.format == formatSimple && a.columns.picked == "" {
		width = 2 // as scripts know it
	}
	var rows [][]string
	for _, n := range l {
		rows = append(rows, []string{n.Name, n.State, strings.Join(n.Trust.Full, " ")}[:width])
	}
	return a.list(listing{value: l, rows: rows, key: "name", simple: []string{"name", "state"}})
}

func (a *app) namespaceShow() *cobra.Command {
	return a.leaf(leaf{
		use: "show NAMESPACE", short: "Show a namespace, the names of its keys and whom it trusts",
		example: "sf-client namespace show demo", complete: namespaceNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			n, err := c.GetNamespace(ctx, args[0])
			if err != nil {
				return err
			}
			return a.namespace(n)
		},
	})
}

func (a *app) namespace(n api.Namespace) error {
	return a.show(record{value: n, fields: []field{{"name", n.Name}, {"state", n.State}}, more: func() error {
		a.names("Key names", "keyname", n.Keys)
		if err := a.metadata(n.Metadata); err != nil {
			return err
		}
		a.names("Full trust", "fulltrust", n.Trust.Full)
		return nil
	}})
}

func (a *app) namespaceCreate() *cobra.Command {
	return a.leaf(leaf{
		use: "create NAMESPACE", short: "Create a namespace",
		long:    "Only the namespace system may do this. Nobody can log in to the new namespace before it has a key; see add-key.",
		example: "sf-client namespace create demo",
		run: func(ctx context.Context, c *client.Client, args []string) error {
			_, err := c.CreateNamespace(ctx, api.CreateNamespace{Namespace: args[0]})
			return a.quiet(err)
		},
	})
}

func (a *app) namespaceDelete() *cobra.Command {
	return a.leaf(leaf{
		use: "delete NAMESPACE", short: "Delete a namespace that has no instances and networks",
		long: "Only the namespace system may do this. Its artifacts are deleted with it.", example: "sf-client namespace delete demo",
		complete: namespaceNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			return a.quiet(c.DeleteNamespace(ctx, args[0]))
		},
	})
}

func (a *app) namespaceAddKey() *cobra.Command {
	return a.namespaceSetKey("add-key", "Give a namespace a key to log in with",
		"KEY is the secret; a - reads it from the first line of stdin, which keeps it from the list of processes and the "+
			"shell's history. A key of that name that is there already gets the new secret.", (*client.Client).AddKey)
}

func (a *app) namespaceUpdateKey() *cobra.Command {
	return a.namespaceSetKey("update-key", "Give a key of a namespace a new secret",
		"Whoever is logged in with the old one is logged out. KEY is the secret; a - reads it from the first line of stdin. "+
			"There must be a key of that name; see add-key.", (*client.Client).UpdateKey)
}

func (a *app) namespaceSetKey(
	name, short, long string, set func(c *client.Client, ctx context.Context, namespace string, k api.AddKey) error,
) *cobra.Command {
	line := "sf-client namespace " + name + " demo deploy "
	return a.leaf(leaf{
		use: name + " NAMESPACE KEYNAME KEY", short: short, long: long, example: line + "s3cret\n" + line + "- < secret.txt",
		complete: namespaceNames, next: keyNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			key, err := a.secret(args[2])
			if err != nil {
				return err
			}
			return a.quiet(set(c, ctx, args[0], api.AddKey{KeyName: args[1], Key: key}))
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

func (a *app) namespaceDeleteKey() *cobra.Command {
	return a.leaf(leaf{
		use: "delete-key NAMESPACE KEYNAME", short: "Remove a key from a namespace",
		long: "Whoever is logged in with it is logged out.", example: "sf-client namespace delete-key demo deploy",
		complete: namespaceNames, next: keyNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			return a.quiet(c.DeleteKey(ctx, args[0], args[1]))
		},
	})
}
