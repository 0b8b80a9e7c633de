package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/client"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this program", Long: "Print what this program calls itself when it talks to a server.",
		Example: indent("sf-client version"), DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.NoArgs(cmd, args); err != nil {
				return usageError{err.Error()}
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			agent := "sf-client/" + client.Version() + " " + client.UserAgent()
			if a.format == formatJSON {
				return a.json(map[string]string{"version": agent})
			}
			_, err := fmt.Fprintln(a.out, agent)
			return err
		},
	}
}
