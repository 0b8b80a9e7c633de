package cli

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// listing is what a command found that lists. The command's leaf says which columns it has.
type listing struct {
	value any        // for JSON and YAML
	rows  [][]string // a value for each column
	key   string     // the column that --output name prints; "" if rows have no names

	// simple is the header that --simple prints instead, for scripts that know it; nil for the columns. It may have fewer
	// columns than there are values in a row.
	simple []string
}

// list prints l in any format.
func (a *app) list(l listing) error {
	if a.format.structured() {
		return a.data(l.value)
	}
	if a.format == formatName {
		return a.listNames(l)
	}
	header, rows, err := a.selection(l)
	switch {
	case err != nil:
		return err
	case a.format == formatSimple:
		return a.simple(header, rows)
	case a.format == formatCSV:
		return a.csv(header, rows)
	}
	return a.box(header, rows)
}

// selection returns the columns that were picked. The header is nil if none is wanted.
func (a *app) selection(l listing) (header []string, rows [][]string, err error) {
	indexes, err := a.columns.pick()
	if err != nil {
		return nil, nil, err
	}
	header, rows = a.columns.all, l.rows
	if indexes == nil {
		if a.format == formatSimple && l.simple != nil {
			header = l.simple
		}
	} else {
		header, rows = at(header, indexes), make([][]string, len(l.rows))
		for n, row := range l.rows {
			rows[n] = at(row, indexes)
		}
	}
	if a.columns.noHeaders {
		header = nil
	}
	return header, rows, nil
}

func at(values []string, indexes []int) []string {
	some := make([]string, len(indexes))
	for n, index := range indexes {
		some[n] = values[index]
	}
	return some
}

func (a *app) listNames(l listing) error {
	n := slices.Index(a.columns.all, l.key)
	if n < 0 {
		return usageError{"what this lists has no names; use another --output"}
	}
	for _, row := range l.rows {
		a.printf("%s\n", strings.ReplaceAll(harmless(row[n]), "\n", " "))
	}
	return nil
}

// box prints rows in a box under a header.
func (a *app) box(header []string, rows [][]string) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Options.SeparateRows = false
	configs, fits := a.boxColumns(header, rows)
	t.SetColumnConfigs(configs)
	if header != nil {
		t.AppendHeader(cells(header))
	}
	for _, row := range rows {
		t.AppendRow(cells(row))
	}
	if header == nil && len(rows) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(a.out, t.Render())
	if !fits && a.columns.all != nil && a.tty(a.err) {
		a.tellf("This is wider than the terminal; --columns picks some columns, as in --columns %s\n", strings.Join(header[:min(2, len(header))], ","))
	}
	return err
}

// boxColumns returns how the columns of a box look: centred, coloured, and on a terminal so narrow that the box fits, if
// that can be.
func (a *app) boxColumns(header []string, rows [][]string) (configs []table.ColumnConfig, fits bool) {
	var widths []int
	fits = true
	if width := a.width(a.out.w); width > 0 && a.tty(a.out.w) {
		widths, fits = fit(header, rows, width)
	}
	for n, name := range header {
		c := table.ColumnConfig{
			Number: n + 1, Align: text.AlignCenter, AlignHeader: text.AlignCenter,
			Transformer: func(v any) string { return a.colour(name, fmt.Sprint(v)) },
		}
		if widths != nil {
			c.WidthMax, c.WidthMaxEnforcer = widths[n], text.WrapSoft
		}
		configs = append(configs, c)
	}
	return configs, fits
}

func cells(values []string) table.Row {
	row := make(table.Row, len(values))
	for n, value := range values {
		row[n] = harmless(value)
	}
	return row
}

// simple prints rows of comma separated values, after the header unless that is nil. Values that hold commas, quotes or
// line ends are quoted, and no others: the standard library's writer would also quote the spaces that roles begin with.
func (a *app) simple(header []string, rows [][]string) error {
	if header != nil {
		rows = append([][]string{header}, rows...)
	}
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

// csv prints what RFC 4180 describes, but with plain line ends, as everything else on this side of the network has them.
func (a *app) csv(header []string, rows [][]string) error {
	if header != nil {
		rows = append([][]string{header}, rows...)
	}
	w := csv.NewWriter(a.out)
	for _, row := range rows {
		clean := make([]string, len(row))
		for n, value := range row {
			clean[n] = harmless(value)
		}
		if err := w.Write(clean); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
