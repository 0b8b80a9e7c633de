package contract

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/contract.md")

// TestThePageIsTheTable compares docs/contract.md with the rows.
func TestThePageIsTheTable(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "docs", "contract.md")
	if *update {
		if err := os.WriteFile(file, []byte(page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page() {
		t.Error("docs/contract.md is out of date; run make golden and look at the difference")
	}
}

// page is the table for people.
func page() string {
	var b strings.Builder
	b.WriteString(`# The contract

Generated from package internal/contract by ` + "`make golden`" + `. This is what clients of many years rely on, and what tests hold the server
and the command line to. An answer of status 200 has the body of its row, byte by byte that of golden files in
[server/testdata/golden](../server/testdata/golden); a refusal has its status, and the words shown are part of its text. Besides the
refusals of its row, a route answers

- 401 to whoever has no token that counts, unless it is for "none"; and to all but system if it is for "admin";
- 404 for an object that is not there, or that the caller may not know of: there is no telling which;
- 400 for arguments that it does not know or that are of the wrong type, 503 while the state store is away.

## Routes

| route | for | body of status 200 | refusals |
|---|---|---|---|
`)
	for _, r := range Routes() {
		if r.Done() {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.Name(), r.Who, cellOf(r.Body), cellOf(refusals(r)))
		}
	}
	b.WriteString("\n## Bodies\n\nAn int has no decimals and a float always has some; neither is ever in exponent form. A type with `?` may be\n" +
		"null, a key with `~` may be absent. `[x]` is a list of x, `{x}` an object whose values are x.\n\n| body | keys |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(shapes())) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, strings.Join(strings.Fields(strings.ReplaceAll(shapes()[name], ":", ": ")), " "))
	}
	b.WriteString("\n## Commands\n\nEach is run in every format by a script below [cmd/sf-client/testdata](../cmd/sf-client/testdata).\n\n" +
		"| command | options | output | script |\n|---|---|---|---|\n")
	for _, c := range Commands() {
		if c.Done() {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", strings.TrimSpace(c.Name+" "+c.Args), strings.Join(c.Options, " "), output(c), c.Script)
		}
	}
	b.WriteString("\n## What comes later\n\nThese are not served, and not in the OpenAPI document; these commands don't exist.\n" +
		"Such a route is answered with 404; where its path has other methods already, with 405 and the header Allow, as every method is\n" +
		"that a path lacks.\n")
	for _, issue := range later() {
		fmt.Fprintf(&b, "\nIssue %d: %s.\n", issue, strings.Join(pending(issue), ", "))
	}
	return b.String()
}

// output says what is read in a command's output.
func output(c Command) string {
	var parts []string
	for _, part := range []struct{ what, names string }{
		{"columns", c.Columns}, {"columns in simple", c.Simple}, {"labels", c.Labels}, {"keys in JSON", c.Keys},
	} {
		if part.names != "" {
			parts = append(parts, part.what+" "+strings.ReplaceAll(part.names, ",", ", "))
		}
	}
	return strings.Join(parts, "; ")
}

func refusals(r Route) string {
	var list []string
	for _, f := range r.Refusals {
		list = append(list, fmt.Sprintf("%d %s", f.Status, f.Text))
	}
	return strings.Join(list, "; ")
}

// cellOf keeps text from ending a cell of the table.
func cellOf(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func later() []int {
	issues := map[int]bool{}
	for _, r := range Routes() {
		issues[r.Issue] = true
	}
	for _, c := range Commands() {
		issues[c.Issue] = true
	}
	delete(issues, 0)
	return slices.Sorted(maps.Keys(issues))
}

// pending names the rows of a later issue.
func pending(issue int) []string {
	var names []string
	for _, r := range Routes() {
		if r.Issue == issue {
			names = append(names, "`"+r.Name()+"`")
		}
	}
	for _, c := range Commands() {
		if c.Issue == issue {
			names = append(names, "`sf-client "+c.Name+"`")
		}
	}
	return names
}

// TestRowsAreThereOnce finds rows that stand twice, or that say too little.
func TestRowsAreThereOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Routes() {
		if seen[r.Name()] {
			t.Errorf("%s stands there twice", r.Name())
		}
		seen[r.Name()] = true
		if r.Done() && (r.Body == "" || len(r.Golden) == 0) || r.Who == "" {
			t.Errorf("%s says too little: %+v", r.Name(), r)
		}
		if strings.Contains(r.Path, "{ref}") && r.Kind() == "" {
			t.Errorf("%s names no kind of object", r.Name())
		}
	}
	for _, c := range Commands() {
		if seen[c.Name] {
			t.Errorf("%s stands there twice", c.Name)
		}
		seen[c.Name] = true
		if c.Done() != (c.Script != "") {
			t.Errorf("%s: script %q, issue %d", c.Name, c.Script, c.Issue)
		}
	}
}
