package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

func (a *app) instanceGroup() *cobra.Command {
	g := group("instance", "Virtual machines", "sf-client instance create web1 1 1024 -d 8@debian:12 -n net1",
		a.instanceList(), a.instanceShow(), a.instanceCreate(), a.instanceDelete(), a.instanceDeleteAll(), a.instanceInterfaces(), a.instanceConsole(),
		a.instanceSnapshot(),
		a.instancePower("poweron", "Start an instance", (*client.Client).PowerOn),
		a.instancePower("poweroff", "Stop an instance as if its plug were pulled", (*client.Client).PowerOff),
		a.eventsCommand("an instance", "INSTANCE", instanceNames, (*client.Client).InstanceEvents))
	g.AddCommand(a.metadataCommands(annotated{
		object: "an instance", argument: "INSTANCE", example: "web1", complete: instanceNames, value: instanceValue,
		get: (*client.Client).InstanceMetadata,
		set: (*client.Client).SetInstanceMetadata, delete: (*client.Client).DeleteInstanceMetadata,
	})...)
	return g
}

func (a *app) instanceList() *cobra.Command {
	var all bool
	return a.leaf(leaf{
		use: "list", short: "List instances",
		example: "sf-client instance list\nsf-client --json instance list --all\nsf-client instance list --columns name,state,interfaces",
		columns: []string{"uuid", "name", "namespace", "cpus", "memory", "hypervisor", "power state", "state", "interfaces"},
		flags:   func(f *pflag.FlagSet) { f.BoolVarP(&all, "all", "a", false, "deleted ones too") },
		run: func(ctx context.Context, c *client.Client, _ []string) error {
			l, err := c.ListInstances(ctx, all)
			if err != nil {
				return err
			}
			return a.instances(l)
		},
	})
}

func (a *app) instances(l api.List[api.Instance]) error {
	var rows [][]string
	for _, i := range l {
		var addresses []string
		for _, f := range i.Interfaces {
			addresses = append(addresses, a.address(f))
		}
		rows = append(rows, []string{
			i.UUID, i.Name, i.Namespace, strconv.Itoa(i.CPUs), strconv.Itoa(i.Memory), orNone(i.Node), i.PowerState, i.State,
			a.lines(addresses, ";"),
		})
	}
	return a.list(listing{value: map[string]any{"instances": l}, rows: rows, key: "uuid"})
}

// address returns an interface in a word: "0: 10.0.0.5 (192.168.1.7)" for people, the same without spaces for scripts.
func (a *app) address(f api.Interface) string {
	space := ""
	if a.format == formatPretty {
		space = " "
	}
	ip := "none"
	if f.IPv4 != nil {
		ip = *f.IPv4
	}
	text := fmt.Sprintf("%d:%s%s", f.Order, space, ip)
	if f.Floating != nil {
		text += space + "(" + *f.Floating + ")"
	}
	return text
}

func (a *app) instanceDelete() *cobra.Command {
	var namespace string
	return a.leaf(leaf{
		use: "delete INSTANCE", short: "Delete an instance and its disks",
		long:     "Unless --async is continue, this waits until the instance is gone.",
		example:  "sf-client instance delete web1\nsf-client --async continue instance delete web1",
		complete: instanceNames, waits: true,
		flags: func(f *pflag.FlagSet) { namespaceFlag(f, &namespace) },
		run: func(ctx context.Context, c *client.Client, args []string) error {
			i, err := c.In(namespace).DeleteInstance(ctx, args[0])
			if err != nil {
				return err
			}
			return a.instanceGone(ctx, c, i)
		},
	})
}

func (a *app) instanceInterfaces() *cobra.Command {
	return a.leaf(leaf{
		use: "interfaces INSTANCE", short: "List the interfaces of an instance", example: "sf-client instance interfaces web1",
		complete: instanceNames, columns: interfaceColumns(),
		run: func(ctx context.Context, c *client.Client, args []string) error {
			l, err := c.InstanceInterfaces(ctx, args[0])
			if err != nil {
				return err
			}
			return a.interfaces(l)
		},
	})
}

func (a *app) instanceConsole() *cobra.Command {
	return a.leaf(leaf{
		use: "consoledata INSTANCE [LENGTH]", short: "Print the end of what an instance wrote to its serial console",
		long:     "LENGTH is in bytes, 10240 if it is not given, or the word all. What is printed comes from the guest as it is.",
		example:  "sf-client instance consoledata web1\nsf-client instance consoledata web1 all",
		complete: instanceNames, next: func(string) completer { return fixed(candidate{"all", "of it"}) },
		run: func(ctx context.Context, c *client.Client, args []string) error {
			length := 10240
			if len(args) == 2 {
				var err error
				if length, err = consoleLength(args[1]); err != nil {
					return err
				}
			}
			data, err := c.ConsoleData(ctx, args[0], length)
			if err != nil {
				return err
			}
			defer data.Close() //nolint:errcheck // only read
			if _, err := io.Copy(a.out, data); err != nil && a.out.failed == nil {
				return failed("The console data broke off: %v", err)
			}
			return nil
		},
	})
}

func consoleLength(text string) (int, error) {
	if text == "all" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < -1 {
		return 0, usageError{strconv.Quote(text) + " is no length: want a number of bytes, or all"}
	}
	return n, nil
}

func (a *app) instancePower(name, short string, act func(c *client.Client, ctx context.Context, ref string) error) *cobra.Command {
	return a.leaf(leaf{
		use: name + " INSTANCE", short: short, example: "sf-client instance " + name + " web1",
		complete: instanceNames,
		run: func(ctx context.Context, c *client.Client, args []string) error {
			return a.quiet(act(c, ctx, args[0]))
		},
	})
}
