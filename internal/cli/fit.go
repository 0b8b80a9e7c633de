package cli

import (
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// tight is the width, in characters, below which a column of a box can't be read any more.
const tight = 8

// fit returns how wide the columns of a box may be at most so that it is no wider than the given number of characters; nil
// if it is not anyway, or if nothing would help: then it doesn't fit. The widest columns give way. UUIDs stay whole, to be
// copied, and times, to be read.
func fit(header []string, rows [][]string, width int) (widths []int, fits bool) {
	widths = make([]int, len(header))
	whole := make([]bool, len(header))
	total := 1 // of the left border; a column has two spaces and its right border beside its text
	for n, name := range header {
		widths[n] = text.LongestLineLen(name)
		for _, row := range rows {
			widths[n] = max(widths[n], text.LongestLineLen(row[n]))
		}
		whole[n] = strings.Contains(name, "uuid") || name == "timestamp"
		total += widths[n] + 3
	}
	if total <= width {
		return nil, true
	}
	for ; total > width; total-- {
		widest := -1
		for n := range widths {
			if !whole[n] && widths[n] > tight && (widest < 0 || widths[n] > widths[widest]) {
				widest = n
			}
		}
		if widest < 0 {
			return nil, false
		}
		widths[widest]--
	}
	return widths, true
}
