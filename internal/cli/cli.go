// Package cli is the command line of sf-client: what it understands, how it asks the server and how it prints answers.
//
// Each group of commands has a file. A command is a leaf: a value that says how it is called and what it does; app.leaf
// makes a cobra command of it. Commands print through the methods in list.go and record.go, which know the formats.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/client"
)

// Exit codes. A usage error is one that sending the request would not have helped. The topic exit-codes explains them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitTimeout     = 3
	exitInterrupted = 130
)

// app is one run of the program.
type app struct {
	in    io.Reader
	out   *output
	err   io.Writer
	env   func(name string) (value string, found bool)
	tty   func(w io.Writer) bool // isTerminal, but in tests
	files configFiles

	settings  settings
	verbose   bool
	chosen    chosen
	format    format  // what chosen says, once the command runs
	columns   columns // of the command that runs, if it lists
	waiting   waiting // of the command that runs, if it waits
	strategy  string
	connected *client.Client // made when first needed
	changing  atomic.Bool    // the server was asked to change something
}

// Main runs sf-client with the arguments after the program's name and returns its exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: stdin, out: &output{w: stdout}, err: stderr, env: os.LookupEnv, tty: isTerminal, files: defaultFiles()}
	return a.main(ctx, args)
}

func (a *app) main(ctx context.Context, args []string) int {
	root := a.root() //nolint:contextcheck // completions take the context of the command that runs
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if aboutFlags(err) { // before the command; wrongFlag sees only those after it
		err = wrongFlag(cmd, err)
	}
	if err == nil {
		err = a.out.failed
	}
	return a.report(ctx, cmd, err)
}

// root returns the whole tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sf-client",
		Short: "Command line client of a Shaken Fist cloud",
		Long: `sf-client talks to the REST API of a Shaken Fist cloud.

Where the API is and whom to log in as is looked for in the flags, then in the environment (SHAKENFIST_API_URL,
SHAKENFIST_NAMESPACE, SHAKENFIST_KEY, SHAKENFIST_ASYNC), then in the file that --config or SHAKENFIST_CONFIG names. Only
if none of these gave an API URL, ~/.shakenfist and /etc/sf/shakenfist.json fill in what is missing. The files are JSON
objects with the keys "apiurl", "namespace" and "key".

Create and delete wait for a minute until it is done, or as long as --async says; with --wait or --timeout, not being done by
then is a failure. See the topics exit-codes and output beneath.`,
		Example: `  sf-client --apiurl http://127.0.0.1:13000 --namespace demo --key s3cret instance list
  sf-client network create net1 10.0.0.0/24
  sf-client instance create web1 1 1024 -d 8@debian:12 -n net1 --timeout 5m
  sf-client -o csv instance list --columns name,state`,
		SilenceErrors:    true,
		SilenceUsage:     true,
		TraverseChildren: true, // so that --namespace before the command is whom to log in as, and after it where to act
		Args:             unknownCommand,
		RunE:             func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(wrongFlag)
	a.globalFlags(root)
	root.AddCommand(
		a.adminGroup(), a.ansibleGroup(), a.artifactGroup(), a.backupGroup(), a.blobGroup(), a.instanceGroup(), a.interfaceGroup(), a.labelGroup(), a.namespaceGroup(),
		a.networkGroup(), a.nodeGroup(), a.versionCommand(),
	)
	root.AddCommand(topics()...)
	return root
}

func (a *app) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	a.formatFlags(root)
	choose(f, &a.verbose, true, "verbose", "say on stderr what is asked of the server; never shows keys or tokens")
	choose(f, &a.verbose, false, "no-verbose", "do not (the default)")
	f.StringVar(&a.settings.Namespace, "namespace", "", "namespace to log in as")
	f.StringVar(&a.settings.Key, "key", "", "secret of a key of that namespace; better kept in the environment or a file")
	f.StringVar(&a.settings.APIURL, "apiurl", "", "where the API is, such as http://sf.example.com:13000")
	f.StringVar(&a.files.explicit, "config", "", "JSON file with apiurl, namespace and key")
	f.StringVar(&a.strategy, "async", "", "how long to wait: continue (not at all), pause (a minute, the default), block (an hour)")
	f.StringVar(&a.strategy, "async-strategy", "", "the same as --async")
	mustComplete(root, "namespace", a.flagCompletion(namespaceNames))
	for _, name := range []string{"async", "async-strategy"} {
		mustComplete(root, name, cobra.FixedCompletions([]string{"continue", "pause", "block"}, cobra.ShellCompDirectiveNoFileComp))
	}
	root.MarkFlagsMutuallyExclusive("async", "async-strategy")
}

// usageError is a command that makes no sense.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// interrupted reports whether err is there because the user wants to stop.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}
