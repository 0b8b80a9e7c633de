package cli

import (
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// isTerminal reports whether w is a character device other than the null device.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// width returns how many characters fit beside each other where w goes, 0 if that is not known: what the environment says,
// or else the terminal.
func (a *app) width(w io.Writer) int {
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := w.(*os.File); ok {
		return terminalWidth(f)
	}
	return 0
}

// colour returns a value in the colour that it has under a label. Only states have one, and only on a terminal whose
// user has nothing against it.
func (a *app) colour(label, value string) string {
	if !strings.HasSuffix(label, "state") || !a.colourful() {
		return value
	}
	var codes string
	switch value {
	case "created", "on", "ready":
		codes = text.FgGreen.EscapeSeq()
	case "error", "crashed", "missing":
		codes = text.FgRed.EscapeSeq()
	case "initial", "creating", "delete-wait", "paused":
		codes = text.FgYellow.EscapeSeq()
	default:
		return value
	}
	return codes + value + text.Reset.EscapeSeq()
}

// colourful reports whether stdout takes colours: see https://no-color.org.
func (a *app) colourful() bool {
	return a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" && a.tty(a.out.w)
}
