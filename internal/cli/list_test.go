package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// listingApp returns an app that lists names and notes in a format, and what it printed.
func listingApp(t *testing.T, f format, env map[string]string) (*app, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	a := testApp(t, env, "", "", "")
	a.out, a.format, a.columns.all = &output{w: &out}, f, []string{"uuid", "name", "power state", "note"}
	return a, &out
}

func rows() [][]string {
	return [][]string{{"6f8a0d3c-58a1-4a5c-9f5e-0d2f6f1f7b10", "web1", "on", `says "a, b" ` + strings.Repeat("and much more ", 5)}}
}

func TestABoxFitsItsTerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []string{"80", "100", "200"} {
		a, out := listingApp(t, formatPretty, map[string]string{"COLUMNS": width, "NO_COLOR": "1"})
		a.tty = func(io.Writer) bool { return true }
		if err := a.list(listing{rows: rows()}); err != nil {
			t.Fatal(err)
		}
		longest := 0
		for line := range strings.Lines(out.String()) {
			longest = max(longest, len(strings.TrimSpace(line)))
		}
		if want := map[string]int{"80": 80, "100": 100, "200": 152}[width]; longest > want || !strings.Contains(out.String(), rows()[0][0]) {
			t.Errorf("%s columns, and %d are used:\n%s", width, longest, out)
		}
	}
}

func TestABoxThatCannotFitOrGoesElsewhereIsWhole(t *testing.T) {
	t.Parallel()
	whole, wholeOut := listingApp(t, formatPretty, map[string]string{"COLUMNS": "80"})
	if err := whole.list(listing{rows: rows()}); err != nil {
		t.Fatal(err)
	}
	a, out := listingApp(t, formatPretty, map[string]string{"COLUMNS": "20", "NO_COLOR": "1"})
	var told bytes.Buffer
	a.err, a.tty = &told, func(io.Writer) bool { return true }
	if err := a.list(listing{rows: rows()}); err != nil {
		t.Fatal(err)
	}
	if out.String() != wholeOut.String() || !strings.Contains(out.String(), strings.TrimSpace(rows()[0][3])) {
		t.Errorf("got\n%s", out)
	}
	if told.String() != "This is wider than the terminal; --columns picks some columns, as in --columns uuid,name\n" {
		t.Errorf("stderr got %q", &told)
	}
}

func TestCSVIsQuotedAsItsStandardSays(t *testing.T) {
	t.Parallel()
	a, out := listingApp(t, formatCSV, nil)
	err := a.list(listing{rows: [][]string{{"1", "two\nlines", ` "quotes"`, "a, b\x1b[31m"}}})
	if want := "uuid,name,power state,note\n1,\"two\nlines\",\" \"\"quotes\"\"\",\"a, b\uFFFD[31m\"\n"; err != nil || out.String() != want {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestColumnsAreFoundHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, picked := range []string{"power state,name", "power_state,name", "Power-State, NAME"} {
		a, out := listingApp(t, formatSimple, nil)
		a.columns.picked = picked
		if err := a.list(listing{rows: rows(), simple: []string{"what", "scripts", "know"}}); err != nil || out.String() != "power state,name\non,web1\n" {
			t.Errorf("%s: %q, %v", picked, out, err)
		}
	}
}

func TestNoTwoColumnsOfAListHaveOneName(t *testing.T) {
	t.Parallel()
	lists := 0
	eachCommand(func(cmd *cobra.Command) {
		f := cmd.Flags().Lookup("columns")
		if f == nil {
			return
		}
		lists++
		_, names, _ := strings.Cut(f.Usage, ": of ")
		seen := map[string]bool{}
		for name := range strings.SplitSeq(names, ", ") {
			if key := columnKey(name); key == "" || seen[key] {
				t.Errorf("%s has the column %q twice", cmd.CommandPath(), name)
			} else {
				seen[key] = true
			}
		}
	})
	if lists < 15 {
		t.Errorf("saw %d lists only", lists)
	}
}

func TestFlagsThatAreNearlyRightAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"all", "al", 1}, {"same", "same", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q and %q are %d apart, want %d", c.a, c.b, got, c.want)
		}
	}
}
