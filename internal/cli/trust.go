package cli

import (
	"context"

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
