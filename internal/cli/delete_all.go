package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// sweep is what the flags of commands that delete everything in a namespace say.
type sweep struct {
	confirm   bool
	namespace string
}

func (s *sweep) flags(f *pflag.FlagSet) {
	f.BoolVar(&s.confirm, "confirm", false, "yes, everything; without it nothing is done")
	namespaceFlag(f, &s.namespace)
}

// sure fails unless the user is.
func (s *sweep) sure() error {
	if !s.confirm {
		return usageError{"this deletes everything there is of its kind; add --confirm if you are sure"}
	}
	return nil
}

// whole tells about the flag that can do the most harm.
const whole = "The namespace system must give --namespace; if it names itself, it means the whole cloud."

func (a *app) instanceDeleteAll() *cobra.Command {
	var s sweep
	return a.leaf(leaf{
		use: "delete-all", short: "Delete all instances of a namespace",
		long:    whole + "\n\nUnless --async is continue, this waits until they are gone.",
		example: "sf-client instance delete-all --confirm\nsf-client instance delete-all --confirm --namespace demo",
		flags:   s.flags, waits: true,
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			if err := s.sure(); err != nil {
				return err
			}
			uuids, err := c.DeleteAllInstances(ctx, s.namespace)
			if err != nil {
				return err
			}
			err = a.instancesGone(ctx, c, uuids)
			if err != nil && !late(err) {
				return err
			}
			return cmp.Or(a.deleted(api.List[string](uuids), uuids), err)
		},
	})
}

func (a *app) networkDeleteAll() *cobra.Command {
	var s sweep
	return a.leaf(leaf{
		use: "delete-all", short: "Delete all networks of a namespace that are not in use",
		long:    whole + "\n\nIf some are in use, they are named and the command fails; the others are deleted all the same.",
		example: "sf-client network delete-all --confirm\nsf-client network delete-all --confirm --namespace demo",
		flags:   s.flags,
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			if err := s.sure(); err != nil {
				return err
			}
			u, err := c.DeleteAllNetworks(ctx, s.namespace, false)
			if err != nil && len(u.Deleted) == 0 {
				return err
			}
			return cmp.Or(a.deleted(u.Deleted, u.Deleted), err)
		},
	})
}

func (a *app) namespaceClean() *cobra.Command {
	var s sweep
	return a.leaf(leaf{
		use: "clean", short: "Delete all instances, networks and artifacts of a namespace",
		long: whole + " Of artifacts it then means its own only.\n\nUnless --async is continue, this waits until instances and " +
			"networks are gone.",
		example: "sf-client namespace clean --confirm\nsf-client --async block namespace clean --confirm --namespace demo",
		flags:   s.flags, waits: true,
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			if err := s.sure(); err != nil {
				return err
			}
			return a.clean(ctx, c, s.namespace)
		},
	})
}

// clean asks for everything to be deleted, and then waits: what depends on something else goes when that is gone.
func (a *app) clean(ctx context.Context, c *client.Client, namespace string) error {
	instances, err := c.DeleteAllInstances(ctx, namespace)
	if err != nil {
		return err
	}
	networks, err := c.DeleteAllNetworks(ctx, namespace, true)
	if err != nil {
		return err
	}
	artifacts, err := c.DeleteAllArtifacts(ctx, namespace)
	if err != nil {
		return err
	}
	if err = a.instancesGone(ctx, c, instances); err == nil {
		err = a.networksGone(ctx, c, networks.Deleted)
	}
	if err != nil && !late(err) {
		return err
	}
	value := map[string]api.List[string]{"instances": instances, "networks": networks.Deleted, "artifacts": artifacts}
	return cmp.Or(a.deleted(value, slices.Concat(instances, networks.Deleted, artifacts)), err)
}

// deleted is done for many objects.
func (a *app) deleted(value any, uuids api.List[string]) error {
	if a.format == formatName {
		for _, uuid := range uuids {
			a.printf("%s\n", harmless(uuid))
		}
		return nil
	}
	return a.done(value, "")
}

func (a *app) instancesGone(ctx context.Context, c *client.Client, uuids []string) error {
	return a.gone(ctx, "instances", uuids, func(ctx context.Context, uuid string, see func(name, state string)) error {
		_, err := c.WaitInstanceDeleted(ctx, uuid, func(i api.Instance) { see(i.Name, i.State) })
		return err
	})
}

func (a *app) networksGone(ctx context.Context, c *client.Client, uuids []string) error {
	return a.gone(ctx, "networks", uuids, func(ctx context.Context, uuid string, see func(name, state string)) error {
		_, err := c.WaitNetworkDeleted(ctx, uuid, func(n api.Network) { see(n.Name, n.State) })
		return err
	})
}

// gone waits for one object after the other. They are deleted side by side, so the order does not matter.
func (a *app) gone(
	ctx context.Context, kind string, uuids []string,
	await func(ctx context.Context, uuid string, see func(name, state string)) error,
) error {
	if len(uuids) == 0 {
		return nil
	}
	return a.wait(ctx, fmt.Sprintf("Deletion of %d %s", len(uuids), kind), func(ctx context.Context, p *progress) error {
		for n, uuid := range uuids {
			see := func(name, state string) {
				p.show("at "+name+", which is "+state, fmt.Sprintf("%d of %d", n+1, len(uuids)))
			}
			if err := await(ctx, uuid, see); err != nil {
				return err
			}
		}
		return nil
	})
}
