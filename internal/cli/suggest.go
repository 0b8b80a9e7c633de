package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wrongFlag returns the usage error for flags that can't be parsed, with what the user may have meant.
func wrongFlag(cmd *cobra.Command, err error) error {
	text := err.Error()
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && len(unknown.GetSpecifiedName()) > 1 {
		if near := nearFlags(cmd, unknown.GetSpecifiedName()); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
	}
	return usageError{text}
}

// aboutFlags reports whether err is what pflag says of flags that can't be parsed.
func aboutFlags(err error) bool {
	return errors.As(err, new(*pflag.NotExistError)) || errors.As(err, new(*pflag.ValueRequiredError)) ||
		errors.As(err, new(*pflag.InvalidValueError)) || errors.As(err, new(*pflag.InvalidSyntaxError))
}

// nearFlags returns the flags of a command that differ from name in two letters at most, or begin with it.
func nearFlags(cmd *cobra.Command, name string) []string {
	var near []string
	see := func(f *pflag.Flag) {
		if !f.Hidden && (distance(f.Name, name) <= min(2, len(name)/2) || strings.HasPrefix(f.Name, name)) {
			near = append(near, "--"+f.Name)
		}
	}
	cmd.Flags().VisitAll(see) // its own and its parents', once it was parsed
	return near
}

// distance returns how many bytes must be inserted, removed or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of the bytes of a so far, to each beginning of b
	for n := range row {
		row[n] = n
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
