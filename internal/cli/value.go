package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shakenfist/shakenfist/api"
)

// Sizes in bytes.
const (
	mib = 1 << 20
	gib = 1 << 30
)

// orNone returns what a pointer points at as text, "" if it is nil.
func orNone[T any](p *T) string {
	if p == nil {
		return ""
	}
	return fmt.Sprint(*p)
}

func yesNo(b bool) string { return strconv.FormatBool(b) }

// local returns a moment as people write it, in their own time zone; "never" for none.
func local(t api.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04:05.000")
}

func gibibytes(bytes float64) string { return fmt.Sprintf("%.2f", bytes/gib) }

// lines joins values in the way of the format: one a line in tables, otherwise between separators.
func (a *app) lines(values []string, separator string) string {
	if a.format == formatPretty {
		return strings.Join(values, "\n")
	}
	return strings.Join(values, separator)
}
