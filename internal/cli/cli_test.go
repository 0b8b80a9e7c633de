package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shakenfist/shakenfist/api"
	"github.com/shakenfist/shakenfist/fault"
)

// eachCommand calls f for every command of the program but those that cobra adds.
func eachCommand(f func(cmd *cobra.Command)) {
	a := &app{out: &output{w: io.Discard}, err: io.Discard, env: os.LookupEnv, tty: isTerminal}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Runnable() { // others are topics of help
			f(cmd)
		}
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(a.root())
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	seen := 0
	eachCommand(func(cmd *cobra.Command) {
		seen++
		if cmd.Short == "" || strings.ContainsAny(cmd.Short, "\n") || len(cmd.Short) > 80 || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: %q does not say in a line what it does", cmd.CommandPath(), cmd.Short)
		}
		if strings.TrimSpace(cmd.Example) == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s is not explained", cmd.CommandPath(), f.Name)
			}
		})
	})
	if seen < 40 {
		t.Errorf("saw %d commands only", seen)
	}
}

// TestExamplesAreCommands parses each example as a shell without variables would, and as the program would.
func TestExamplesAreCommands(t *testing.T) {
	t.Parallel()
	eachCommand(func(owner *cobra.Command) {
		for line := range strings.Lines(owner.Example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " < ")
			words := strings.Fields(strings.ReplaceAll(line, "'", ""))
			if words[0] != "sf-client" {
				t.Errorf("%s: %q is not a call of sf-client", owner.CommandPath(), line)
				continue
			}
			a := &app{out: &output{w: io.Discard}, err: io.Discard, env: os.LookupEnv, tty: isTerminal}
			cmd, rest, err := a.root().Traverse(words[1:])
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %q: %v", owner.CommandPath(), line, err)
			}
		}
	})
}

// brokenPipe takes nothing.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--json", "version"}, {"instance"}} {
		var stderr bytes.Buffer
		if code := Main(args, strings.NewReader(""), brokenPipe{}, &stderr); code != exitFailure || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v: %d, %q", args, code, &stderr)
		}
	}
}

func TestErrorsAreReportedByTheirKind(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	cmd := &cobra.Command{Use: "sf-client"}
	for _, c := range []struct {
		stop bool // the user wants to
		err  error
		code int
		text string
	}{
		{false, nil, exitOK, ""},
		{false, fault.New("GET", fault.NotFound, "/x", "instance not found"), exitFailure, "Resource not found: instance not found\n"},
		{false, fault.New("GET", fault.Exhausted, "/x", "no room\x1b[2J"), exitFailure, "Insufficient Resources: no room\uFFFD[2J\n"},
		{false, usageError{"what?"}, exitUsage, "Usage error: what?\nTry: sf-client --help\n"},
		{false, failed("It failed"), exitFailure, "It failed\n"},
		{false, timeoutError{"Network net1", time.Minute}, exitTimeout, "Network net1 is not done after 1m0s; it goes on\n"},
		{false, errors.New("odd"), exitFailure, "Error: odd\n"},
		{
			true, fault.Because("GET", fault.Unavailable, "/x", context.Canceled, "gave up"), exitInterrupted,
			"Interrupted.\n",
		},
		{false, timeoutError{limit: time.Second}, exitTimeout, "Not done after 1s; if the server has the request, it goes on\n"},
	} {
		var stderr bytes.Buffer
		a := &app{err: &stderr}
		ctx := t.Context()
		if c.stop {
			ctx = cancelled
		}
		if code := a.report(ctx, cmd, c.err); code != c.code || stderr.String() != c.text {
			t.Errorf("%v: %d %q, want %d %q", c.err, code, &stderr, c.code, c.text)
		}
	}
	for _, kind := range []fault.Kind{
		fault.Internal, fault.Invalid, fault.Unauthorized, fault.Forbidden, fault.NotFound, fault.NotReady, fault.Conflict,
		fault.Exhausted, fault.Unavailable,
	} {
		if prefixes[kind] == "" {
			t.Errorf("%q has no prefix", kind)
		}
	}
}

func TestOnlyTerminalsAreTerminals(t *testing.T) {
	t.Parallel()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = null.Close() })
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	for _, w := range []io.Writer{null, file, &bytes.Buffer{}} {
		if isTerminal(w) {
			t.Errorf("%v was taken for a terminal", w)
		}
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v; run where /dev/ptmx is", err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	if !isTerminal(terminal) {
		t.Error("a pseudo terminal was not taken for a terminal")
	}
	for env, want := range map[string]bool{"": true, "NO_COLOR=1": false, "TERM=dumb": false, "NO_COLOR=": true} {
		name, value, _ := strings.Cut(env, "=")
		a := &app{out: &output{w: terminal}, tty: isTerminal}
		a.env = func(asked string) (string, bool) {
			if asked == name {
				return value, true
			}
			return "", false
		}
		if got := strings.Contains(a.colour("power state", "on"), "\x1b["); got != want {
			t.Errorf("with %q: colours %v, want %v", env, got, want)
		}
		if got := a.colour("name", "on"); got != "on" {
			t.Errorf("a name has the colour %q", got)
		}
	}
}

func TestFoldBreaksBetweenWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"one two three", "one two\nthree"},
		{"one two", "one two"},
		{"unbreakable it is", "unbreakable\nit is"},
		{"one\n\ntwo", "one\n\ntwo"},
	} {
		if got := fold(c.text, 8); got != c.want {
			t.Errorf("%q became %q, want %q", c.text, got, c.want)
		}
	}
}

func TestAnInstanceWithoutReasonStillSaysWhereToLook(t *testing.T) {
	t.Parallel()
	if got := reason(nil); !strings.Contains(got, "events") {
		t.Errorf("got %q", got)
	}
	if got := reason(new("disk full")); got != "disk full" {
		t.Errorf("got %q", got)
	}
	if got := local(api.Time{}); got != "never" {
		t.Errorf("got %q", got)
	}
}

func TestArgumentsAreThoseThatTheUseNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		use  string
		args []string
		want string
	}{
		{"list", nil, ""},
		{"list", []string{"x"}, `"x" is an argument too many`},
		{"create NAME NETBLOCK", nil, "NAME is missing"},
		{"create NAME NETBLOCK", []string{"x"}, "NETBLOCK is missing"},
		{"create NAME NETBLOCK", []string{"x", "y", "z", "z2"}, `"z" is an argument too many`},
		{"consoledata INSTANCE [LENGTH]", nil, "INSTANCE is missing"},
		{"consoledata INSTANCE [LENGTH]", []string{"x"}, ""},
		{"consoledata INSTANCE [LENGTH]", []string{"x", "1"}, ""},
		{"consoledata INSTANCE [LENGTH]", []string{"x", "1", "y"}, `"y" is an argument too many`},
	} {
		if got := miscounted(c.use, c.args); got != c.want {
			t.Errorf("%s with %q: %q, want %q", c.use, c.args, got, c.want)
		}
	}
}
