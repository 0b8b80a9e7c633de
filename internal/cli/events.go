package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/client"
)

// eventsCommand returns the command that shows the events of a kind of object.
func (a *app) eventsCommand(
	object, argument string, complete completer,
	get func(c *client.Client, ctx context.Context, ref string, q api.EventQuery) ([]api.Event, error),
) *cobra.Command {
	var q api.EventQuery
	types := []string{"audit", "mutate", "status", "usage", "resources", "prune", "historic"}
	cmd := a.leaf(leaf{
		use: "events " + argument, short: "Show what happened to " + object + ", newest first",
		long:     "Times are local. The types are " + strings.Join(types, ", ") + ".",
		example:  "sf-client " + noun(object) + " events " + noun(object) + "1\nsf-client " + noun(object) + " events -t audit -l 10 " + noun(object) + "1",
		complete: complete,
		columns:  []string{"timestamp", "node", "duration", "message", "extra"},
		flags: func(f *pflag.FlagSet) {
			f.StringVarP(&q.Type, "type", "t", "", "only events of this type")
			f.IntVarP(&q.Limit, "limit", "l", 0, "at most this many; -1 for all (default 100)")
		},
		run: func(ctx context.Context, c *client.Client, args []string) error {
			l, err := get(c, ctx, args[0], q)
			if err != nil {
				return err
			}
			return a.events(l)
		},
	})
	mustComplete(cmd, "type", cobra.FixedCompletions(types, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// noun returns the last word of "an instance".
func noun(object string) string {
	for n := len(object) - 1; n >= 0; n-- {
		if object[n] == ' ' {
			return object[n+1:]
		}
	}
	return object
}

func (a *app) events(l api.List[api.Event]) error {
	var rows [][]string
	for _, e := range l {
		extra := ""
		if len(e.Extra) > 0 {
			extra = plain(map[string]any(e.Extra))
		}
		rows = append(rows, []string{local(e.Timestamp), e.FQDN, orNone(e.Duration), e.Message, extra})
	}
	return a.list(listing{value: l, rows: rows})
}
