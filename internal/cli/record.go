package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/shakenfist/shakenfist/api"
)

// record is what a command found that shows one object.
type record struct {
	value  any          // for JSON and YAML
	fields []field      // the first one is the object's UUID, or its name if it has none
	more   func() error // prints what else people and shell scripts are told, under the fields; nil for nothing
}

// field is a line of a record.
type field struct{ label, value string }

// show prints r in any format. As CSV it is a header and a row.
func (a *app) show(r record) error {
	switch a.format {
	case formatJSON, formatYAML:
		return a.data(r.value)
	case formatName:
		a.printf("%s\n", harmless(r.fields[0].value))
		return nil
	case formatCSV:
		var labels, values []string
		for _, f := range r.fields {
			labels, values = append(labels, f.label), append(values, f.value)
		}
		return a.csv(labels, [][]string{values})
	case formatPretty, formatSimple:
	}
	a.fields(r.fields)
	if r.more == nil {
		return nil
	}
	return r.more()
}

// done is what a command prints whose success is all that people and shell scripts want to know: the value as JSON or
// YAML, the name if that is the format. Without a name nothing is printed there.
func (a *app) done(value any, name string) error {
	switch {
	case a.format.structured():
		return a.data(value)
	case a.format == formatName && name != "":
		a.printf("%s\n", harmless(name))
	}
	return nil
}

// quiet is done for commands that have nothing to say at all, unless they failed with err.
func (a *app) quiet(err error) error {
	if err != nil {
		return err
	}
	return a.done(struct{}{}, "")
}

// say prints a line, or the value in its place as JSON or YAML.
func (a *app) say(value any, line string) error {
	if a.format.structured() {
		return a.data(value)
	}
	a.printf("%s\n", harmless(line))
	return nil
}

// fields prints a line for each field.
func (a *app) fields(fields []field) {
	if a.format == formatSimple {
		for _, f := range fields {
			a.printf("%s:%s\n", f.label, harmless(f.value))
		}
		return
	}
	a.aligned("", fields)
}

// aligned prints lines whose colons are beneath each other. Further lines of a value are indented as deep as its first.
func (a *app) aligned(margin string, fields []field) {
	width := 0
	for _, f := range fields {
		width = max(width, text.StringWidthWithoutEscSequences(f.label))
	}
	deep := "\n" + strings.Repeat(" ", len(margin)+width+len(" : "))
	for _, f := range fields {
		value := a.colour(f.label, strings.ReplaceAll(harmless(f.value), "\n", deep))
		a.printf("%s\n", strings.TrimRight(margin+text.Pad(f.label, width, ' ')+" : "+value, " "))
	}
}

// metadata prints the metadata of a record, as its last or next to last part.
func (a *app) metadata(o api.Object) error {
	keys := slices.Sorted(maps.Keys(o))
	a.printf("\n")
	if a.format == formatSimple {
		var rows [][]string
		for _, key := range keys {
			rows = append(rows, []string{"metadata", key, plain(o[key])})
		}
		return a.simple([]string{"metadata", "key", "value"}, rows)
	}
	a.printf("Metadata:\n")
	var fields []field
	for _, key := range keys {
		fields = append(fields, field{harmless(key), plain(o[key])})
	}
	a.aligned("    ", fields)
	return nil
}

// names prints a part of a record that is a list of names.
func (a *app) names(title, label string, names []string) {
	a.printf("\n")
	line := "    %[2]s\n"
	if a.format == formatSimple {
		line = "%s,%s\n"
	} else {
		a.printf("%s:\n", title)
	}
	for _, name := range names {
		a.printf(line, label, harmless(name))
	}
}
