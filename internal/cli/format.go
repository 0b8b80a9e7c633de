package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// format is a way to print what a command found.
type format string

const (
	formatPretty format = "pretty" // boxes for lists, aligned lines for one object; also called table
	formatSimple format = "simple" // the same, comma separated
	formatJSON   format = "json"
	formatYAML   format = "yaml"
	formatCSV    format = "csv"
	formatName   format = "name" // a UUID or name a line
)

// outputs are the formats by the names that --output knows.
func outputs() map[string]format {
	return map[string]format{
		"table": formatPretty, "json": formatJSON, "yaml": formatYAML, "csv": formatCSV, "name": formatName,
	}
}

const outputNames = "table, json, yaml, csv or name"

// chosen holds what the flags say about the format until all of them are read.
type chosen struct {
	flag   format // by --pretty, --simple or --json, the last of them; "" for none
	output string // by --output; "" for not given
}

// formatFlags adds the flags that choose a format to those of all commands.
func (a *app) formatFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	choose(f, &a.chosen.flag, formatPretty, "pretty", "tables for people (the default)")
	choose(f, &a.chosen.flag, formatSimple, "simple", "comma separated values, for shell scripts")
	choose(f, &a.chosen.flag, formatJSON, "json", "JSON, for programs")
	f.StringVarP(&a.chosen.output, "output", "o", "", "format: "+outputNames)
	mustComplete(root, "output", cobra.FixedCompletions([]string{
		"table\tfor people", "json\tfor programs", "yaml\tfor programs and people", "csv\tfor spreadsheets", "name\tUUIDs or names, for xargs",
	}, cobra.ShellCompDirectiveNoFileComp))
}

// format returns the format that the flags ask for.
func (c chosen) format() (format, error) {
	if c.output == "" {
		if c.flag == "" {
			return formatPretty, nil
		}
		return c.flag, nil
	}
	f, ok := outputs()[c.output]
	switch {
	case !ok:
		return "", usageError{fmt.Sprintf("--output %q is no format; want %s", c.output, outputNames)}
	case c.flag != "" && c.flag != f:
		return "", usageError{fmt.Sprintf("--%s and --output %s are two formats; give one of them", c.flag, c.output)}
	}
	return f, nil
}

// structured reports whether the format is JSON or YAML.
func (f format) structured() bool { return f == formatJSON || f == formatYAML }

// columns says which columns of its list a command prints.
type columns struct {
	all       []string // that there are
	picked    string   // by --columns, comma separated; "" for all
	noHeaders bool
}

// flags adds the flags of commands that print a list.
func (c *columns) flags(f *pflag.FlagSet) {
	f.StringVar(&c.picked, "columns", "", "print only these, in this order, as in name,state: of "+strings.Join(c.all, ", "))
	f.BoolVar(&c.noHeaders, "no-headers", false, "do not print the names of columns")
}

// pick returns the indexes of the picked columns; nil means all of them, as they are.
func (c *columns) pick() ([]int, error) {
	if c.picked == "" {
		return nil, nil
	}
	byName := map[string]int{}
	for n, name := range c.all {
		byName[columnKey(name)] = n
	}
	var indexes []int
	for name := range strings.SplitSeq(c.picked, ",") {
		n, ok := byName[columnKey(name)]
		if !ok {
			return nil, usageError{fmt.Sprintf("there is no column %q; want some of %s", strings.TrimSpace(name), strings.Join(c.all, ", "))}
		}
		indexes = append(indexes, n)
	}
	return indexes, nil
}

// columnKey returns what all ways to write a column's name have in common, so that spaces need no quotes.
func columnKey(name string) string {
	return strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// check fails if the flags make no sense together. It is called before the server is asked anything.
func (c *columns) check(f format) error {
	if f.structured() || f == formatName {
		if c.picked != "" {
			return usageError{fmt.Sprintf("--columns says nothing about the format %s; use it with table, simple or csv", f)}
		}
		return nil
	}
	_, err := c.pick()
	return err
}

// complete offers the names of columns that are not in the list yet.
func (c *columns) complete(_ *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before, word := "", start
	if n := strings.LastIndex(start, ","); n >= 0 {
		before, word = start[:n+1], start[n+1:]
	}
	var words []cobra.Completion
	for _, name := range c.all {
		name = strings.ReplaceAll(name, " ", "_")
		if strings.HasPrefix(name, word) && !strings.Contains(","+before, ","+name+",") {
			words = append(words, before+name)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
