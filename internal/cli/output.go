package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/shakenfist/shakenfist/api"
)

// format is one of the three ways to print.
type format string

const (
	formatPretty format = "pretty"
	formatSimple format = "simple"
	formatJSON   format = "json"
)

// output remembers the first failure to write, so that commands need not look at each line's.
type output struct {
	w      io.Writer
	failed error
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	if o.failed != nil {
		return 0, o.failed
	}
	n, err := o.w.Write(b)
	if err != nil {
		o.failed = failed("Cannot write the output: %v", err)
		return n, o.failed
	}
	return n, nil
}

// printf prints to stdout. Whether that works is looked at once, at the end.
func (a *app) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.out, format, args...) // a.out remembers the error
}

// tellf prints to stderr. If that does not work there is nobody left to tell.
func (a *app) tellf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.err, format, args...)
}

// json prints v with its keys sorted.
func (a *app) json(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var sorted any // objects become maps, which are encoded in the order of their keys
	if err := d.Decode(&sorted); err != nil {
		return err
	}
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	return e.Encode(sorted)
}

// quiet is what a command prints that has nothing to say, unless it failed with err.
func (a *app) quiet(err error) error {
	if err == nil && a.format == formatJSON {
		err = a.json(struct{}{})
	}
	return err
}

// table prints rows under a header, as a box or comma separated.
func (a *app) table(header []string, rows [][]string) error {
	if a.format == formatSimple {
		return a.csv(append([][]string{header}, rows...)...)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Options.SeparateRows = false
	var columns []table.ColumnConfig
	for n, name := range header {
		columns = append(columns, table.ColumnConfig{
			Number: n + 1, Align: text.AlignCenter, AlignHeader: text.AlignCenter,
			Transformer: func(v any) string { return a.colour(name, fmt.Sprint(v)) },
		})
	}
	t.SetColumnConfigs(columns)
	t.AppendHeader(cells(header))
	for _, row := range rows {
		t.AppendRow(cells(row))
	}
	_, err := fmt.Fprintln(a.out, t.Render())
	return err
}

// csv prints rows of comma separated values. Those that hold commas, quotes or line ends are quoted, and no others: the
// standard library's writer would also quote the spaces that roles begin with.
func (a *app) csv(rows ...[]string) error {
	for _, row := range rows {
		clean := make([]string, len(row))
		for n, value := range row {
			clean[n] = harmless(value)
			if strings.ContainsAny(clean[n], ",\"\n") {
				clean[n] = `"` + strings.ReplaceAll(clean[n], `"`, `""`) + `"`
			}
		}
		if _, err := fmt.Fprintln(a.out, strings.Join(clean, ",")); err != nil {
			return err
		}
	}
	return nil
}

func cells(values []string) table.Row {
	row := make(table.Row, len(values))
	for n, value := range values {
		row[n] = harmless(value)
	}
	return row
}

// field is a line of a record.
type field struct{ label, value string }

// record prints an object, a line for each field.
func (a *app) record(fields []field) {
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
		rows := [][]string{{"metadata", "key", "value"}}
		for _, key := range keys {
			rows = append(rows, []string{"metadata", key, plain(o[key])})
		}
		return a.csv(rows...)
	}
	a.printf("Metadata:\n")
	var fields []field
	for _, key := range keys {
		fields = append(fields, field{harmless(key), plain(o[key])})
	}
	a.aligned("    ", fields)
	return nil
}

// plain returns a JSON value as text: strings as they are, anything else as JSON.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// harmless replaces control characters, by which text from a server or an image could steer a terminal.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

// selected prints some keys of an object.
func (a *app) selected(v any, keys ...string) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var all api.Object
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	some := api.Object{}
	for _, key := range keys {
		if value, ok := all[key]; ok {
			some[key] = value
		}
	}
	return a.json(some)
}
