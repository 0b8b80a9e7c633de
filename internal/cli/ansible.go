package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
	"github.com/shakenfist/shakenfist/fault"
)

// module is one run of a command that Ansible calls to bring an object into a state.
type module struct {
	c        *client.Client // acts in the namespace that the arguments name
	patience client.Strategy
	args     *arguments
	absent   bool // the object shall not be
	check    bool // nothing shall be done, only said what would be
	log      []string
}

// outcome is what a module did, even if it failed after that.
type outcome struct {
	changed bool
	object  any    // as it is now; nil if it is not
	msg     string // for people; may be empty
}

// moduleResult is what a module prints.
type moduleResult struct {
	Changed bool             `json:"changed"`
	Failed  bool             `json:"failed"`
	Meta    any              `json:"meta"`
	Log     api.List[string] `json:"log"`
	Msg     *string          `json:"msg"`
}

func (a *app) ansibleGroup() *cobra.Command {
	g := group("ansible", "Modules of Ansible", "sf-client ansible network arguments.json",
		a.module("namespace", "Make sure that a namespace exists, or does not", (*module).namespace,
			"name; state; and key_name and key, to log in with.", "A key of a name that there is not is added."),
		a.module("network", "Make sure that a network exists, or does not", (*module).network,
			"name or uuid; state; and what the API takes to create it: netblock, provide_dhcp, provide_nat, provide_dns, namespace.",
			"A network that differs in an argument that is given is deleted and made anew. One that is in use is not deleted; that is a failure, which names its users."),
		a.module("instance", "Make sure that an instance exists, or does not", (*module).instance,
			"name or uuid; state; and what the API takes to create it: cpus, memory, disk, network, ssh_key, user_data, placed_on, "+
				"namespace, video, uefi, secure_boot, nvram_template, configdrive, metadata, side_channels.",
			"An instance that differs in an argument that is given is deleted, with its disks, and made anew; only metadata is "+
				"changed in place."))
	g.Long = g.Short + `.

To make a module of a command, put a script of its name where Ansible looks for modules:

  #!/bin/sh
  # WANT_JSON
  exec sf-client ansible network "$1"`
	return g
}

// module returns the command of a module, whose help names its arguments and says what becomes of what differs.
func (a *app) module(
	kind, short string, run func(m *module, ctx context.Context) (outcome, error), takes, differs string,
) *cobra.Command {
	return a.leaf(leaf{
		use: kind + " FILE", short: short,
		long: "FILE is the JSON object of arguments that Ansible gives a module: " + takes + " State is present (the default) or absent. The names " +
			"that arguments had in older modules, such as cpu, ram and disks, are understood too." +
			"\n\n" + differs + " In check mode nothing is done. This waits until all is done, unless --async says otherwise.\n\n" +
			"It prints a JSON object: changed, failed, meta (the object), log and msg. The exit code is 1 if failed is true.",
		example: "sf-client ansible " + kind + " arguments.json", file: 1, offline: true,
		run: func(ctx context.Context, _ *client.Client, args []string) error {
			m := &module{}
			o, err := m.run(ctx, a, args[0], run)
			r := moduleResult{Changed: o.changed, Failed: err != nil, Meta: o.object, Log: m.log}
			if err != nil {
				o.msg = fault.Text(err)
			}
			if o.msg != "" {
				r.Msg = &o.msg
			}
			a.format = formatJSON
			if err := a.data(r); err != nil {
				return err
			}
			if err != nil && !interrupted(ctx, err) {
				return failed("%s", o.msg)
			}
			return err
		},
	})
}

// run reads the arguments, connects and does what the module is for.
func (m *module) run(ctx context.Context, a *app, path string, do func(m *module, ctx context.Context) (outcome, error)) (outcome, error) {
	var err error
	if m.args, err = readArguments(path); err != nil {
		return outcome{}, err
	}
	switch state := m.args.text("state"); state {
	case "absent":
		m.absent = true
	case "", "present":
	default:
		return outcome{}, failed("state is %q; want present or absent", state)
	}
	if check := m.args.flag("_ansible_check_mode"); check != nil {
		m.check = *check
	}
	if a.strategy == "" && a.getenv("SHAKENFIST_ASYNC") == "" {
		a.strategy = string(client.Block)
	}
	if m.patience, err = a.patience(); err != nil {
		return outcome{}, err
	}
	if m.c, err = a.client(); err != nil {
		return outcome{}, err
	}
	m.c = m.c.In(m.args.text("namespace"))
	return do(m, ctx)
}

func (m *module) logf(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

// read ends the reading of arguments: it fails if one has the wrong type, and logs those that nobody asked for.
func (m *module) read() error {
	for _, name := range m.args.strange() {
		m.logf("argument %s is not known and was ignored", name)
	}
	return m.args.err
}

// await calls f with a context that lasts as long as the module's patience; not at all if it has none.
func (m *module) await(ctx context.Context, f func(ctx context.Context) error) error {
	if m.patience == client.Continue {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.patience.Patience())
	defer cancel()
	return f(ctx)
}

// gone is the outcome for an object that shall not be, and is not.
func gone(kind, ref string) (outcome, error) {
	return outcome{msg: strings.ToUpper(kind[:1]) + kind[1:] + " " + ref + " did not exist"}, nil
}

// missing reports whether err says that there is no such object.
func missing(err error) bool { return errors.Is(err, fault.NotFound) }
