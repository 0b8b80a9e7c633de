package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/client"
)

// leaf is a command that does something.
type leaf struct {
	use      string // name and arguments, those that may be left out in brackets; there may be no others
	short    string
	long     string                       // after short; may be empty
	example  string                       // one command a line
	complete completer                    // of the first argument; may be nil
	next     func(first string) completer // of the second argument, after the first; may be nil
	flags    func(f *pflag.FlagSet)
	file     int      // which argument, from 1, is the path of a file; 0 for none
	columns  []string // of the list that it prints with app.list; nil if it prints none
	waits    bool     // has --wait and --timeout, and waits with app.wait
	offline  bool     // run gets no client
	run      func(ctx context.Context, c *client.Client, args []string) error
}

// leaf returns the cobra command of l.
func (a *app) leaf(l leaf) *cobra.Command {
	cmd := &cobra.Command{
		Use: l.use, Short: l.short, Long: l.short + ".", Example: indent(l.example),
		Args: func(cmd *cobra.Command, args []string) error {
			if wrong := miscounted(l.use, args); wrong != "" {
				return usageError{fmt.Sprintf("%s: usage is %s", wrong, cmd.UseLine())}
			}
			return nil
		},
		ValidArgsFunction: a.completion(l),
	}
	lists, waits := columns{all: l.columns}, waiting{}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a.columns, a.waiting = lists, waits
		return a.run(cmd.Context(), l, args)
	}
	if l.long != "" {
		cmd.Long += "\n\n" + fold(l.long, 100)
	}
	if l.flags != nil {
		l.flags(cmd.Flags())
	}
	if l.columns != nil {
		lists.flags(cmd.Flags())
		mustComplete(cmd, "columns", lists.complete)
	}
	if l.waits {
		waits.flags(cmd.Flags())
	}
	if cmd.Flags().Lookup("namespace") != nil {
		mustComplete(cmd, "namespace", a.flagCompletion(namespaceNames))
	}
	return cmd
}

// miscounted says which argument that use names is missing, or which one it doesn't name; "" for neither.
func miscounted(use string, args []string) string {
	names := strings.Fields(use)[1:]
	if len(args) > len(names) {
		return fmt.Sprintf("%q is an argument too many", args[len(names)])
	}
	if missing := names[len(args):]; len(missing) > 0 && !strings.HasPrefix(missing[0], "[") {
		return missing[0] + " is missing"
	}
	return ""
}

// run does what l is for, once all flags are read.
func (a *app) run(ctx context.Context, l leaf, args []string) error {
	var err error
	if a.format, err = a.chosen.format(); err != nil {
		return err
	}
	if err := a.columns.check(a.format); err != nil {
		return err
	}
	if l.offline {
		return l.run(ctx, nil, args)
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	return a.within(ctx, func(ctx context.Context) error { return l.run(ctx, c, args) })
}

// mustComplete says how the value of a flag is completed, which must be there.
func mustComplete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // a mistake in this package, which every test finds
	}
}

// group returns a command that only has others beneath it.
func group(name, short, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Example: indent(example), Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// unknownCommand refuses the arguments of a command that only has others beneath it.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q in %s", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{text}
}

// fold breaks the lines of a text between words, so that none is longer than width unless a word is.
func fold(lines string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		room := width
		for n, word := range strings.Fields(line) {
			switch {
			case n > 0 && len(word) >= room:
				b.WriteByte('\n')
				room = width
			case n > 0:
				b.WriteByte(' ')
				room--
			}
			b.WriteString(word)
			room -= len(word)
		}
		if strings.HasSuffix(line, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func indent(lines string) string { return "  " + strings.ReplaceAll(lines, "\n", "\n  ") }

// choice is a flag without a value that makes a variable have one. Of several that share a variable the last one counts.
type choice[T comparable] struct {
	into  *T
	value T
}

// choose adds such a flag.
func choose[T comparable](f *pflag.FlagSet, into *T, value T, name, usage string) {
	f.VarPF(choice[T]{into, value}, name, "", usage).NoOptDefVal = "true"
}

// String returns the default, which is not worth a mention.
func (c choice[T]) String() string { return "" }

// Set takes the value after an equals sign, of which only true makes sense.
func (c choice[T]) Set(text string) error {
	if text != "true" {
		return fmt.Errorf("it takes no value")
	}
	*c.into = c.value
	return nil
}

// Type makes pflag print the flag without a value.
func (c choice[T]) Type() string { return "bool" }

// namespaceFlag adds the flag that names the namespace to act in.
func namespaceFlag(f *pflag.FlagSet, into *string) {
	f.StringVar(into, "namespace", "", "namespace to act in, if it is not the one to log in as")
}
