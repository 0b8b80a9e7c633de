package cli

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/client"
)

// completionPatience is how long a shell may hang when somebody presses tab.
const completionPatience = 3 * time.Second

// candidate is something that a word may be completed to.
type candidate struct{ word, explanation string }

// completer asks the server for the objects that an argument may be.
type completer func(ctx context.Context, c *client.Client) ([]candidate, error)

// completion returns what cobra calls to complete the arguments of l. Those without a completer complete to nothing.
func (a *app) completion(l leaf) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var f completer
		switch {
		case len(args) == l.file-1:
			return nil, cobra.ShellCompDirectiveDefault // which is files
		case len(args) == 0:
			f = l.complete
		case len(args) == 1 && l.next != nil:
			f = l.next(args[0])
		}
		if f == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.candidates(cmd, f, start)
	}
}

// flagCompletion is completion for the value of a flag.
func (a *app) flagCompletion(f completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.candidates(cmd, f, start)
	}
}

func (a *app) candidates(cmd *cobra.Command, f completer, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	s, err := a.lookUp()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	s.fill(settings{APIURL: "http://localhost:13000"})
	a.strategy = string(client.Continue)
	c, err := a.connect(s)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	all, err := f(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var words []cobra.Completion
	for _, one := range all {
		if one.word != "" && strings.HasPrefix(one.word, start) {
			words = append(words, cobra.CompletionWithDesc(harmless(one.word), harmless(one.explanation)))
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// fixed offers what needs no server to be known.
func fixed(all ...candidate) completer {
	return func(context.Context, *client.Client) ([]candidate, error) { return all, nil }
}

func instanceNames(ctx context.Context, c *client.Client) ([]candidate, error) {
	list, err := c.ListInstances(ctx, false)
	var all []candidate
	for _, i := range list {
		all = append(all, candidate{i.Name, i.State + " " + i.UUID}, candidate{i.UUID, i.State + " " + i.Name})
	}
	return all, err
}

func networkNames(ctx context.Context, c *client.Client) ([]candidate, error) {
	list, err := c.ListNetworks(ctx, false)
	var all []candidate
	for _, n := range list {
		all = append(all, candidate{n.Name, n.Netblock + " " + n.UUID}, candidate{n.UUID, n.Netblock + " " + n.Name})
	}
	return all, err
}

func artifactNames(ctx context.Context, c *client.Client) ([]candidate, error) {
	list, err := c.ListArtifacts(ctx, "")
	var all []candidate
	for _, v := range list {
		explanation, name := v.Type+" "+v.SourceURL, ""
		if v.SourceURL != "" {
			name = path.Base(v.SourceURL)
		}
		all = append(all, candidate{name, explanation}, candidate{v.UUID, explanation})
	}
	return all, err
}

func blobNames(ctx context.Context, c *client.Client) ([]candidate, error) {
	list, err := c.ListBlobs(ctx, "")
	var all []candidate
	for _, b := range list {
		all = append(all, candidate{b.UUID, b.State})
	}
	return all, err
}

func nodeNames(ctx context.Context, c *client.Client) ([]candidate, error) {
	list, err := c.ListNodes(ctx)
	var all []candidate
	for _, n := range list {
		all = append(all, candidate{n.Name, n.State})
	}
	return all, err
}

func namespaceNames(ctx context.Context, c *client.Client) ([]candidate, error) {
	list, err := c.ListNamespaces(ctx)
	var all []candidate
	for _, n := range list {
		all = append(all, candidate{n.Name, n.State})
	}
	return all, err
}

// keyNames offers the keys of a namespace.
func keyNames(namespace string) completer {
	return func(ctx context.Context, c *client.Client) ([]candidate, error) {
		list, err := c.ListKeys(ctx, namespace)
		var all []candidate
		for _, name := range list {
			all = append(all, candidate{name, "key of " + namespace})
		}
		return all, err
	}
}

// trustedNames offers the namespaces that a namespace trusts.
func trustedNames(namespace string) completer {
	return func(ctx context.Context, c *client.Client) ([]candidate, error) {
		n, err := c.GetNamespace(ctx, namespace)
		var all []candidate
		for _, name := range n.Trust.Full {
			all = append(all, candidate{name, "trusted by " + namespace})
		}
		return all, err
	}
}

// interfaceNames offers the interfaces of all instances: there is no list of interfaces as such.
func interfaceNames(ctx context.Context, c *client.Client) ([]candidate, error) {
	list, err := c.ListInstances(ctx, false)
	var all []candidate
	for _, i := range list {
		for _, f := range i.Interfaces {
			all = append(all, candidate{f.UUID, i.Name + " " + orNone(f.IPv4)})
		}
	}
	return all, err
}
