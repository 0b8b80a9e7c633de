package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/client"
)

func (a *app) versionCommand() *cobra.Command {
	return a.leaf(leaf{
		use: "version", short: "Print the version of this program", long: "It is what the program calls itself when it talks to a server.",
		example: "sf-client version", offline: true,
		run: func(context.Context, *client.Client, []string) error {
			agent := "sf-client/" + client.Version() + " " + client.UserAgent()
			return a.say(map[string]string{"version": agent}, agent)
		},
	})
}
