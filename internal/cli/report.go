package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shakenfist/shakenfist/fault"
)

// prefixes say what kind of trouble an error is, in the words that scripts know.
var prefixes = map[fault.Kind]string{
	fault.Invalid:      "Malformed Request",
	fault.Unauthorized: "Not authenticated",
	fault.Forbidden:    "Not authorized",
	fault.NotFound:     "Resource not found",
	fault.NotReady:     "Dependencies not ready",
	fault.Conflict:     "Resource state conflict",
	fault.Internal:     "Internal Server Error",
	fault.Exhausted:    "Insufficient Resources",
	fault.Unavailable:  "Server unavailable",
}

// failure is an error that is not the server's refusal: its text is all there is to say.
type failure struct{ text string }

func (e failure) Error() string { return e.text }

func failed(format string, args ...any) error { return failure{fmt.Sprintf(format, args...)} }

// report prints an error to stderr and returns the exit code.
func (a *app) report(ctx context.Context, cmd *cobra.Command, err error) int {
	var usage usageError
	var own failure
	var late timeoutError
	var known *fault.Error
	switch {
	case err == nil:
		return exitOK
	case interrupted(ctx, err):
		a.tellf("Interrupted.")
		if a.changing.Load() {
			a.tellf(" What was asked of the server goes on.")
		}
		a.tellf("\n")
		return exitInterrupted
	case errors.As(err, &usage):
		a.tellf("Usage error: %s\nTry: %s --help\n", harmless(usage.text), cmd.CommandPath())
		return exitUsage
	case errors.As(err, &late):
		a.tellf("%s\n", harmless(late.Error()))
		return exitTimeout
	case errors.As(err, &own):
		a.tellf("%s\n", harmless(own.text))
	case errors.As(err, &known):
		a.tellf("%s: %s\n", prefixes[known.Kind], harmless(fault.Text(err)))
		if known.Kind == fault.Unauthorized && a.settings.Namespace != "" && a.settings.Namespace != "system" {
			a.tellf("You are the namespace %s; some commands are for the namespace system alone.\n", harmless(a.settings.Namespace))
		}
	default:
		a.tellf("Error: %s\n", harmless(err.Error()))
	}
	return exitFailure
}
