package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// topics returns the pages of help that are about no command.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{
			Use: "exit-codes", Short: "What the exit codes mean",
			Long: fmt.Sprintf(`The exit codes:

  %3d  success
  %3d  the server refused it, failed at it, or could not be reached
  %3d  usage error: the command line makes no sense, nothing was asked of the server
  %3d  the time given by --timeout, or the hour of --wait, ran out; what was asked for goes on
  %3d  interrupted; what was asked for goes on

Without --wait and --timeout, a create or delete that takes longer than --async allows is a success; stderr says so.`,
				exitOK, exitFailure, exitUsage, exitTimeout, exitInterrupted),
		},
		{
			Use: "output", Short: "The formats of what commands print",
			Long: `Every command that lists or shows something prints it in each of these formats:

  --pretty, -o table  boxes for lists, "label : value" for one object; the default
  --simple            the same as comma separated values, for shell scripts
  --json, -o json     JSON with sorted keys
  -o yaml             the same as YAML
  -o csv              a header and quoted rows (RFC 4180, with plain line ends)
  -o name             a UUID a line, or a name for what has no UUID: for xargs

Of --pretty, --simple and --json the last one counts; one of them beside a different --output is a usage error.

Lists take --columns name,state to print only these columns, in this order, and --no-headers. Colours are used only on
a terminal, and neither with NO_COLOR set nor with TERM=dumb. On a terminal, boxes are made to fit it.`,
		},
	}
}
